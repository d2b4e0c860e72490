//! Buckets above the run: what the app and each tenant may use in all (specification B13 and C7).
//!
//! A demand is reserved in both buckets or in neither, before anything happens, and settled with
//! what was really used. A tenant's exhausted bucket is refused by its own name and touches no
//! other tenant. All of it is in memory, under one short lock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;

/// The keys of a bucket, in the order of every array here.
const DIMENSIONS: [&str; 5] = ["tokens", "cost", "records-touched", "money-moved", "recipients-reached"];

type Amounts = [u64; DIMENSIONS.len()];

/// Limits of one bucket. A key left out is no limit; 0 forbids what it counts.
///
/// A bucket has no period: it lasts until a person releases more or the host makes new buckets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct BucketSpec {
    /// Tokens, input and output together. Default: no limit (specification B13).
    pub tokens: Option<u64>,
    /// Micro-dollars spent on model calls. Default: no limit (specification B13).
    pub cost: Option<u64>,
    /// Records that actions touch. Default: no limit (specification C7).
    pub records_touched: Option<u64>,
    /// Micro-dollars that actions move. Default: no limit (specification C7).
    pub money_moved: Option<u64>,
    /// People whom messages reach. Default: no limit (specification C7).
    pub recipients_reached: Option<u64>,
}

impl BucketSpec {
    fn amounts(&self) -> [Option<u64>; DIMENSIONS.len()] {
        [self.tokens, self.cost, self.records_touched, self.money_moved, self.recipients_reached]
    }
}

/// The limits of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct BucketsSpec {
    /// Over all tenants together.
    pub app: BucketSpec,
    /// For each tenant that `tenants` does not name, one by one.
    pub default: BucketSpec,
    /// By name. Nothing of `default` is mixed in.
    pub tenants: BTreeMap<String, BucketSpec>,
}

/// What an effect may use at most, or has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Demand {
    /// Tokens, input and output together.
    pub tokens: u64,
    /// Micro-dollars spent on model calls.
    pub cost: u64,
    /// Records touched.
    #[serde(rename = "records-touched")]
    pub records: u64,
    /// Micro-dollars moved.
    #[serde(rename = "money-moved")]
    pub money: u64,
    /// People reached.
    #[serde(rename = "recipients-reached")]
    pub recipients: u64,
}

impl Demand {
    fn amounts(&self) -> Amounts {
        [self.tokens, self.cost, self.records, self.money, self.recipients]
    }
}

impl From<Amounts> for Demand {
    fn from([tokens, cost, records, money, recipients]: Amounts) -> Self {
        Demand { tokens, cost, records, money, recipients }
    }
}

/// A demand that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{bucket} has {left} left of `{dimension}`, and {demand} is asked for; release more, or raise the limit in the \
     configuration"
)]
pub struct BucketRefused {
    /// `app` or `tenant NAME`.
    pub bucket: String,
    /// Key of the limit, such as `tokens`.
    pub dimension: &'static str,
    /// What was asked for, in the unit of the key.
    pub demand: u64,
    /// What is neither used nor reserved.
    pub left: u64,
}

/// One limit of one bucket, for reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BucketLine {
    /// `app` or `tenant NAME`.
    pub bucket: String,
    /// Key of the limit, such as `tokens`.
    pub dimension: &'static str,
    /// With what was released; none is no limit.
    pub limit: Option<u64>,
    /// Used.
    pub used: u64,
    /// Reserved and not settled.
    pub reserved: u64,
    /// What may still be reserved; none is no limit.
    pub left: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    limit: BucketSpec,
    /// Given by a person on top of the limit.
    released: Amounts,
    used: Amounts,
    reserved: Amounts,
}

impl Bucket {
    fn new(limit: BucketSpec) -> Self {
        Bucket { limit, ..Bucket::default() }
    }

    fn limit(&self, dimension: usize) -> Option<u64> {
        Some(self.limit.amounts()[dimension]?.saturating_add(self.released[dimension]))
    }

    fn left(&self, dimension: usize) -> Option<u64> {
        let taken = self.used[dimension].saturating_add(self.reserved[dimension]);
        Some(self.limit(dimension)?.saturating_sub(taken))
    }

    fn check(&self, demand: &Amounts, bucket: impl FnOnce() -> String) -> Result<(), BucketRefused> {
        for (dimension, name) in DIMENSIONS.into_iter().enumerate() {
            let demand = demand[dimension];
            match self.left(dimension) {
                Some(left) if demand > left => {
                    return Err(BucketRefused { bucket: bucket(), dimension: name, demand, left });
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn reserve(&mut self, demand: &Amounts) {
        each(&mut self.reserved, demand, u64::saturating_add);
    }

    fn close(&mut self, demand: &Amounts, used: &Amounts) {
        each(&mut self.reserved, demand, u64::saturating_sub);
        each(&mut self.used, used, u64::saturating_add);
    }

    fn lines(&self, bucket: &str) -> impl Iterator<Item = BucketLine> {
        DIMENSIONS.into_iter().enumerate().map(move |(index, dimension)| BucketLine {
            bucket: bucket.to_owned(),
            dimension,
            limit: self.limit(index),
            used: self.used[index],
            reserved: self.reserved[index],
            left: self.left(index),
        })
    }

    fn stored(&self) -> StoredBucket {
        StoredBucket { used: self.used.into(), reserved: self.reserved.into(), released: self.released.into() }
    }

    fn restored(limit: BucketSpec, stored: &StoredBucket) -> Self {
        let mut used = stored.used.amounts();
        // Nobody can tell any more whether that happened, so it counts as if it had.
        each(&mut used, &stored.reserved.amounts(), u64::saturating_add);
        Bucket { limit, released: stored.released.amounts(), used, reserved: Amounts::default() }
    }
}

fn each(amounts: &mut Amounts, by: &Amounts, change: impl Fn(u64, u64) -> u64) {
    for (amount, by) in amounts.iter_mut().zip(by) {
        *amount = change(*amount, *by);
    }
}

#[derive(Debug)]
struct State {
    app: Bucket,
    default: BucketSpec,
    tenants: BTreeMap<String, Bucket>,
}

impl State {
    fn new(spec: &BucketsSpec) -> Self {
        let tenants = spec.tenants.iter().map(|(name, limit)| (name.clone(), Bucket::new(*limit))).collect();
        State { app: Bucket::new(spec.app), default: spec.default, tenants }
    }

    fn of(&self, tenant: &str) -> Bucket {
        self.tenants.get(tenant).copied().unwrap_or_else(|| Bucket::new(self.default))
    }

    fn of_mut(&mut self, tenant: Option<&str>) -> &mut Bucket {
        match tenant {
            None => &mut self.app,
            Some(tenant) => {
                let default = self.default;
                self.tenants.entry(tenant.to_owned()).or_insert_with(|| Bucket::new(default))
            }
        }
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // No change is left half done, so there is nothing to distrust.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tenant_bucket(tenant: &str) -> String {
    format!("tenant {tenant}")
}

/// The buckets of a host. A clone shares them.
#[derive(Debug, Clone)]
pub struct Buckets {
    state: Arc<Mutex<State>>,
}

impl Buckets {
    /// Full buckets.
    pub fn new(spec: &BucketsSpec) -> Self {
        Buckets { state: Arc::new(Mutex::new(State::new(spec))) }
    }

    /// Sets a demand aside in the tenant's bucket and in the app's, or in neither. A run without
    /// tenant draws on the app's alone. A demand of 0 always fits, so that an exhausted dimension
    /// only stops what needs it.
    ///
    /// # Errors
    /// When it does not fit. The tenant's bucket is looked at first.
    pub fn reserve(&self, tenant: Option<&str>, demand: Demand) -> Result<BucketReservation, BucketRefused> {
        let amounts = demand.amounts();
        let mut state = locked(&self.state);
        if let Some(tenant) = tenant {
            state.of(tenant).check(&amounts, || tenant_bucket(tenant))?;
        }
        state.app.check(&amounts, || "app".to_owned())?;
        if tenant.is_some() {
            state.of_mut(tenant).reserve(&amounts);
        }
        state.app.reserve(&amounts);
        drop(state);
        let state = Arc::clone(&self.state);
        Ok(BucketReservation { state, tenant: tenant.map(str::to_owned), demand: amounts, open: true })
    }

    /// Replaces a reservation by what was used, which may be more: then the bucket is overdrawn,
    /// and later demands are refused until more is released.
    pub fn settle(&self, reservation: BucketReservation, used: Demand) {
        reservation.settle(used);
    }

    /// The tenant's bucket, if any, and the app's, each with every dimension.
    pub fn lines(&self, tenant: Option<&str>) -> Vec<BucketLine> {
        let (bucket, app) = {
            let state = locked(&self.state);
            (tenant.map(|tenant| (tenant_bucket(tenant), state.of(tenant))), state.app)
        };
        bucket.iter().flat_map(|(name, bucket)| bucket.lines(name)).chain(app.lines("app")).collect()
    }

    /// Tenants that are named in the configuration or have used something.
    pub fn tenants(&self) -> Vec<String> {
        locked(&self.state).tenants.keys().cloned().collect()
    }

    /// New limits for a tenant, or for the app without one; what is used stays used, what was
    /// released stays released. Not part of a snapshot: limits come from the configuration.
    pub fn set_limit(&self, tenant: Option<&str>, limit: BucketSpec) {
        locked(&self.state).of_mut(tenant).limit = limit;
    }

    /// A person's release: that much more than the limit for a tenant, or for the app without one.
    /// An overdrawn bucket first makes good what was overdrawn. Kept in snapshots.
    pub fn release(&self, tenant: Option<&str>, extra: Demand) {
        each(&mut locked(&self.state).of_mut(tenant).released, &extra.amounts(), u64::saturating_add);
    }

    /// Everything used, reserved and released, to be stored.
    pub fn snapshot(&self) -> BucketsSnapshot {
        let state = locked(&self.state);
        let tenants = state.tenants.iter().map(|(name, bucket)| (name.clone(), bucket.stored())).collect();
        BucketsSnapshot { version: VERSION, app: state.app.stored(), tenants }
    }

    /// The buckets of a snapshot under the limits of today's configuration. What was reserved then
    /// counts as used: whether it happened is unknown.
    ///
    /// # Errors
    /// When another release wrote the snapshot.
    pub fn restore(spec: &BucketsSpec, snapshot: &BucketsSnapshot) -> Result<Self, RestoreError> {
        if snapshot.version != VERSION {
            return Err(RestoreError { version: snapshot.version });
        }
        let mut state = State::new(spec);
        state.app = Bucket::restored(spec.app, &snapshot.app);
        for (name, stored) in &snapshot.tenants {
            let limit = *spec.tenants.get(name).unwrap_or(&spec.default);
            state.tenants.insert(name.clone(), Bucket::restored(limit, stored));
        }
        Ok(Buckets { state: Arc::new(Mutex::new(state)) })
    }
}

/// A demand set aside. Dropped without being settled, it goes back whole.
#[derive(Debug)]
#[must_use = "a reservation that is dropped goes back at once"]
pub struct BucketReservation {
    state: Arc<Mutex<State>>,
    tenant: Option<String>,
    demand: Amounts,
    open: bool,
}

impl BucketReservation {
    /// What is set aside.
    pub fn demand(&self) -> Demand {
        self.demand.into()
    }

    /// See [`Buckets::settle`].
    pub fn settle(mut self, used: Demand) {
        self.close(&used.amounts());
    }

    fn close(&mut self, used: &Amounts) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        let mut state = locked(&self.state);
        if self.tenant.is_some() {
            state.of_mut(self.tenant.as_deref()).close(&self.demand, used);
        }
        state.app.close(&self.demand, used);
    }
}

impl Drop for BucketReservation {
    fn drop(&mut self) {
        self.close(&Amounts::default());
    }
}

/// The contents of buckets, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BucketsSnapshot {
    version: u32,
    app: StoredBucket,
    tenants: BTreeMap<String, StoredBucket>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct StoredBucket {
    used: Demand,
    reserved: Demand,
    released: Demand,
}

/// A snapshot of another release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the stored buckets have version `{version}`, this release knows {VERSION}; use the release that wrote them")]
pub struct RestoreError {
    /// Its version.
    pub version: u32,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    fn spec(text: &str) -> BucketsSpec {
        toml::from_str(text).unwrap()
    }

    fn tokens(tokens: u64) -> Demand {
        Demand { tokens, ..Demand::default() }
    }

    fn line(buckets: &Buckets, tenant: Option<&str>, bucket: &str, dimension: &str) -> BucketLine {
        let mut lines = buckets.lines(tenant).into_iter();
        lines.find(|line| line.bucket == bucket && line.dimension == dimension).unwrap()
    }

    #[test]
    fn a_demand_fits_both_buckets_or_is_refused_by_name() {
        let spec = spec(
            r#"
            [app]
            tokens = 100
            [default]
            tokens = 60
            cost = 0
            [tenants.acme]
            tokens = 30
            records-touched = 5
            money-moved = 7
            recipients-reached = 2
            [tenants.open]
            "#,
        );
        let none = Demand::default();
        let table = [
            (Some("acme"), tokens(30), None),
            (Some("acme"), tokens(31), Some(("tenant acme", "tokens", 31, 30))),
            (Some("acme"), tokens(u64::MAX), Some(("tenant acme", "tokens", u64::MAX, 30))),
            (Some("acme"), Demand { cost: 9, ..none }, None),
            (Some("acme"), Demand { records: 6, ..none }, Some(("tenant acme", "records-touched", 6, 5))),
            (Some("acme"), Demand { money: 8, ..none }, Some(("tenant acme", "money-moved", 8, 7))),
            (Some("acme"), Demand { recipients: 3, ..none }, Some(("tenant acme", "recipients-reached", 3, 2))),
            (Some("acme"), Demand { tokens: 1, recipients: 2, records: 5, money: 7, cost: 1 }, None),
            (Some("other"), tokens(60), None),
            (Some("other"), tokens(61), Some(("tenant other", "tokens", 61, 60))),
            (Some("other"), Demand { cost: 1, ..none }, Some(("tenant other", "cost", 1, 0))),
            (Some("open"), tokens(100), None),
            (Some("open"), tokens(101), Some(("app", "tokens", 101, 100))),
            (Some("open"), Demand { cost: u64::MAX, ..none }, None),
            (None, tokens(100), None),
            (None, tokens(101), Some(("app", "tokens", 101, 100))),
        ];
        let buckets = Buckets::new(&spec);
        for (tenant, demand, refused) in table {
            // Each reservation goes back at the end of its row.
            let found = buckets.reserve(tenant, demand);
            let found = found.as_ref().err().map(|r| (r.bucket.as_str(), r.dimension, r.demand, r.left));
            assert_eq!(found, refused, "{tenant:?} {demand:?}");
        }
        assert!(buckets.lines(Some("acme")).iter().all(|line| line.reserved == 0 && line.used == 0));
        let refused = buckets.reserve(Some("acme"), tokens(31)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "tenant acme has 30 left of `tokens`, and 31 is asked for; release more, or raise the limit in the \
             configuration"
        );
        assert!(toml::from_str::<BucketsSpec>("[app]\ntoken = 1").is_err());
        assert!(toml::from_str::<BucketsSpec>("[apps]").is_err());
    }

    #[test]
    fn an_exhausted_tenant_stops_no_other_and_a_release_lets_it_go_on() {
        let buckets = Buckets::new(&spec("[app]\ntokens = 1000\n[default]\ntokens = 10"));
        let shared = buckets.clone();
        let reserved = buckets.reserve(Some("a"), tokens(4)).unwrap();
        assert_eq!(reserved.demand(), tokens(4));
        // More than was reserved, and more than there is.
        shared.settle(reserved, tokens(13));
        assert_eq!(buckets.reserve(Some("a"), tokens(1)).unwrap_err().left, 0);
        assert!(buckets.reserve(Some("a"), Demand { money: 5, ..Demand::default() }).is_ok());
        assert!(buckets.reserve(Some("b"), tokens(10)).is_ok());
        buckets.release(Some("a"), tokens(3));
        assert_eq!(buckets.reserve(Some("a"), tokens(1)).unwrap_err().left, 0);
        buckets.release(Some("a"), tokens(2));
        assert!(buckets.reserve(Some("a"), tokens(2)).is_ok());
        assert_eq!(buckets.reserve(Some("b"), tokens(11)).unwrap_err().left, 10);
        buckets.set_limit(Some("a"), BucketSpec { tokens: Some(20), ..BucketSpec::default() });
        assert_eq!(line(&buckets, Some("a"), "tenant a", "tokens").left, Some(20 + 5 - 13));
        buckets.set_limit(None, BucketSpec { tokens: Some(14), ..BucketSpec::default() });
        assert_eq!(buckets.reserve(Some("b"), tokens(2)).unwrap_err().bucket, "app");
        buckets.release(None, tokens(1));
        assert!(buckets.reserve(Some("b"), tokens(2)).is_ok());
        assert_eq!(buckets.tenants(), ["a", "b"]);
    }

    #[test]
    fn two_hundred_small_calls_stop_at_the_envelope() {
        let buckets = Buckets::new(&spec("[default]\nrecords-touched = 150"));
        let one = Demand { records: 1, ..Demand::default() };
        let mut done = 0;
        for _ in 0..200 {
            let Ok(reservation) = buckets.reserve(Some("a"), one) else { break };
            buckets.settle(reservation, one);
            done += 1;
        }
        assert_eq!(done, 150);
    }

    #[test]
    fn threads_never_get_more_than_there_is() {
        let buckets = Buckets::new(&spec("[app]\ntokens = 1000\n[default]\ntokens = 400"));
        let got: Vec<u64> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|index| {
                    let buckets = buckets.clone();
                    scope.spawn(move || {
                        let tenant = ["a", "b", "c", "d"][index % 4];
                        let mut got = 0;
                        for round in 0..500 {
                            let Ok(reservation) = buckets.reserve(Some(tenant), tokens(3)) else { continue };
                            // Every third one goes back.
                            if round % 3 != 0 {
                                reservation.settle(tokens(3));
                                got += 3;
                            }
                        }
                        got
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let app = line(&buckets, None, "app", "tokens");
        assert_eq!((app.used, app.reserved), (got.iter().sum(), 0));
        assert!(app.used <= 1000, "{app:?}");
        for tenant in ["a", "b", "c", "d"] {
            let line = line(&buckets, Some(tenant), &format!("tenant {tenant}"), "tokens");
            assert!(line.used <= 400 && line.reserved == 0, "{line:?}");
        }
        // All of them together leave less than one more demand.
        assert!(app.left.unwrap() < 3, "{app:?}");
    }

    /// Whatever happens in whatever order: reservations alone never pass a limit, the app's bucket is
    /// the sum of its tenants', and a refused demand changes nothing.
    #[test]
    fn reservations_never_pass_a_limit() {
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = move |below: u64| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed % below
        };
        for round in 0..200 {
            let mut limits = || BucketSpec {
                tokens: (next(4) != 0).then(|| next(300)),
                cost: (next(4) != 0).then(|| next(300)),
                records_touched: (next(4) != 0).then(|| next(300)),
                money_moved: None,
                recipients_reached: (next(4) != 0).then(|| next(300)),
            };
            let spec = BucketsSpec {
                app: limits(),
                default: limits(),
                tenants: [("a".to_owned(), limits()), ("b".to_owned(), limits())].into(),
            };
            let buckets = Buckets::new(&spec);
            let mut open = Vec::new();
            let names = [None, Some("a"), Some("b"), Some("c")];
            let all = |buckets: &Buckets| names.map(|name| buckets.lines(name));
            for _ in 0..100 {
                let before = all(&buckets);
                let index = next(1 + open.len() as u64) as usize;
                match next(4) {
                    0 if index < open.len() => drop(open.swap_remove(index)),
                    1 if index < open.len() => {
                        let reservation: BucketReservation = open.swap_remove(index);
                        let used = reservation.demand.map(|most| next(most + 1));
                        buckets.settle(reservation, used.into());
                    }
                    _ => {
                        let demand: Amounts = [next(40), next(40), next(40), next(40), next(40)];
                        match buckets.reserve(names[next(4) as usize], demand.into()) {
                            Ok(reservation) => open.push(reservation),
                            Err(_) => assert_eq!(all(&buckets), before, "round {round}"),
                        }
                    }
                }
                for line in all(&buckets).iter().flatten() {
                    let taken = line.used + line.reserved;
                    assert!(line.limit.is_none_or(|limit| taken <= limit), "round {round}: {line:?}");
                    assert_eq!(line.left, line.limit.map(|limit| limit - taken));
                }
            }
            drop(open);
            assert!(all(&buckets).iter().flatten().all(|line| line.reserved == 0), "round {round}");
        }
    }

    #[test]
    fn a_snapshot_keeps_what_is_used_reserved_and_released() {
        let spec = spec("[app]\ntokens = 1000\n[default]\ntokens = 10\n[tenants.b]\ntokens = 20");
        let buckets = Buckets::new(&spec);
        buckets.reserve(Some("a"), tokens(4)).unwrap().settle(tokens(3));
        buckets.release(Some("a"), tokens(100));
        let held = buckets.reserve(Some("b"), tokens(5)).unwrap();
        let text = serde_json::to_string(&buckets.snapshot()).unwrap();
        drop(held);
        let snapshot: BucketsSnapshot = serde_json::from_str(&text).unwrap();
        let again = Buckets::restore(&spec, &snapshot).unwrap();
        let left = |tenant| line(&again, Some(tenant), &format!("tenant {tenant}"), "tokens").left;
        assert_eq!((left("a"), left("b"), left("c")), (Some(107), Some(15), Some(10)));
        assert_eq!(line(&again, None, "app", "tokens").used, 8);
        // Today's limits hold, not those of then.
        let tighter = Buckets::restore(&toml::from_str("[default]\ntokens = 2").unwrap(), &snapshot).unwrap();
        assert_eq!(line(&tighter, Some("b"), "tenant b", "tokens").left, Some(0));
        assert_eq!(line(&tighter, Some("b"), "app", "tokens").left, None);

        let other: BucketsSnapshot = serde_json::from_str(&text.replace("\"version\":1", "\"version\":2")).unwrap();
        assert_eq!(
            Buckets::restore(&spec, &other).unwrap_err().to_string(),
            "the stored buckets have version `2`, this release knows 1; use the release that wrote them"
        );
    }
}
