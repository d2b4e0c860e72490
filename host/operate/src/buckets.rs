//! Buckets above the run: what the app and each tenant may use in all (specification B13 and C7).
//!
//! A demand is reserved in both buckets or in neither, before anything happens, and settled with
//! what was really used. A tenant's exhausted bucket is refused by its own name and touches no
//! other tenant. Each bucket is a register in the store of the runs, so that it counts across runs,
//! processes and machines; what a lost process had reserved stays reserved, since nobody can tell
//! whether it happened. A bucket without any limit refuses nothing: what is used of it is booked
//! now and then, and nothing waits for that.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use countersign_store::{RegisterName, SharedStore};
use serde::{Deserialize, Serialize};

use super::state::{self, StateError};

/// The registers of buckets lie below this name.
const REGISTERS: &str = "buckets";
/// How often what is used of a bucket without limits is booked.
const BOOKED: Duration = Duration::from_secs(1);

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

/// A demand that was not set aside.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// It does not fit.
    #[error(transparent)]
    Refused(#[from] BucketRefused),
    /// Nobody knows whether it fits.
    #[error("what is left in the buckets cannot be told: {0}")]
    State(#[from] StateError),
}

/// A bucket, as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Contents {
    used: Demand,
    reserved: Demand,
    /// Given by a person on top of the limit.
    released: Demand,
}

/// A bucket under its limits.
struct Bucket<'a> {
    limit: BucketSpec,
    contents: &'a mut Contents,
}

impl Bucket<'_> {
    fn limit(&self, dimension: usize) -> Option<u64> {
        Some(self.limit.amounts()[dimension]?.saturating_add(self.contents.released.amounts()[dimension]))
    }

    fn left(&self, dimension: usize) -> Option<u64> {
        let taken = self.contents.used.amounts()[dimension].saturating_add(self.contents.reserved.amounts()[dimension]);
        Some(self.limit(dimension)?.saturating_sub(taken))
    }

    fn reserve(&mut self, demand: &Amounts, bucket: impl FnOnce() -> String) -> Result<(), BucketRefused> {
        for (dimension, name) in DIMENSIONS.into_iter().enumerate() {
            let demand = demand[dimension];
            match self.left(dimension) {
                Some(left) if demand > left => {
                    return Err(BucketRefused { bucket: bucket(), dimension: name, demand, left });
                }
                _ => {}
            }
        }
        each(&mut self.contents.reserved, demand, u64::saturating_add);
        Ok(())
    }

    fn lines(&self, bucket: &str) -> Vec<BucketLine> {
        let line = |(index, dimension)| BucketLine {
            bucket: bucket.to_owned(),
            dimension,
            limit: self.limit(index),
            used: self.contents.used.amounts()[index],
            reserved: self.contents.reserved.amounts()[index],
            left: self.left(index),
        };
        DIMENSIONS.into_iter().enumerate().map(line).collect()
    }
}

fn each(amounts: &mut Demand, by: &Amounts, change: impl Fn(u64, u64) -> u64) {
    let mut changed = amounts.amounts();
    for (amount, by) in changed.iter_mut().zip(by) {
        *amount = change(*amount, *by);
    }
    *amounts = changed.into();
}

/// Whose bucket: a tenant's, or the app's.
type Owner = Option<String>;

fn named(owner: &Owner) -> String {
    owner.as_ref().map_or_else(|| "app".to_owned(), |tenant| format!("tenant {tenant}"))
}

fn register(owner: &Owner) -> Result<RegisterName, StateError> {
    Ok(match owner {
        None => RegisterName::of(&[REGISTERS, "app"])?,
        Some(tenant) => RegisterName::of(&[REGISTERS, "tenant", tenant])?,
    })
}

#[derive(Debug)]
struct Shared {
    store: SharedStore,
    spec: Mutex<BucketsSpec>,
    /// Used of buckets without limits, and not booked yet.
    unbooked: Mutex<BTreeMap<Owner, Unbooked>>,
}

#[derive(Debug)]
struct Unbooked {
    used: Amounts,
    since: Instant,
}

fn locked<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    // No change is left half done, so there is nothing to distrust.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn limit(&self, owner: &Owner) -> BucketSpec {
        let spec = locked(&self.spec);
        match owner {
            None => spec.app,
            Some(tenant) => *spec.tenants.get(tenant).unwrap_or(&spec.default),
        }
    }

    fn is_unlimited(&self, owner: &Owner) -> bool {
        self.limit(owner) == BucketSpec::default()
    }

    fn change<T>(&self, owner: &Owner, mut change: impl FnMut(&mut Bucket<'_>) -> T) -> Result<T, StateError> {
        let limit = self.limit(owner);
        state::change(&*self.store, &register(owner)?, |contents| change(&mut Bucket { limit, contents }))
    }

    fn reserve(&self, owner: &Owner, demand: &Amounts) -> Result<(), BucketError> {
        if self.is_unlimited(owner) {
            return Ok(());
        }
        Ok(self.change(owner, |bucket| bucket.reserve(demand, || named(owner)))??)
    }

    fn close(&self, owner: &Owner, demand: &Amounts, used: &Amounts) -> Result<(), StateError> {
        self.change(owner, |bucket| {
            each(&mut bucket.contents.reserved, demand, u64::saturating_sub);
            each(&mut bucket.contents.used, used, u64::saturating_add);
        })
    }

    fn book_later(&self, owner: &Owner, used: &Amounts) -> Result<(), StateError> {
        let due = {
            let mut unbooked = locked(&self.unbooked);
            let new = || Unbooked { used: Amounts::default(), since: Instant::now() };
            let of_owner = unbooked.entry(owner.clone()).or_insert_with(new);
            for (sum, used) in of_owner.used.iter_mut().zip(used) {
                *sum = sum.saturating_add(*used);
            }
            of_owner.since.elapsed() > BOOKED
        };
        if due { self.book(owner) } else { Ok(()) }
    }

    fn book(&self, owner: &Owner) -> Result<(), StateError> {
        let Some(unbooked) = locked(&self.unbooked).remove(owner) else { return Ok(()) };
        self.close(owner, &Amounts::default(), &unbooked.used)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let owners: Vec<Owner> = locked(&self.unbooked).keys().cloned().collect();
        for owner in owners {
            if let Err(error) = self.book(&owner) {
                tracing::warn!(bucket = named(&owner), %error, "what was used is not booked");
            }
        }
    }
}

/// The buckets of a store. A clone shares them, and so does everybody else who opens them in that store.
#[derive(Debug, Clone)]
pub struct Buckets {
    shared: Arc<Shared>,
}

impl Buckets {
    /// The buckets in a store under the limits of today's configuration.
    pub fn new(store: SharedStore, spec: &BucketsSpec) -> Self {
        let (spec, unbooked) = (Mutex::new(spec.clone()), Mutex::default());
        Buckets { shared: Arc::new(Shared { store, spec, unbooked }) }
    }

    /// Sets a demand aside in the tenant's bucket and in the app's, or in neither. A run without
    /// tenant draws on the app's alone. A demand of 0 always fits, so that an exhausted dimension
    /// only stops what needs it.
    ///
    /// # Errors
    /// When it does not fit, or when nobody can tell. The tenant's bucket is looked at first.
    pub fn reserve(&self, tenant: Option<&str>, demand: Demand) -> Result<BucketReservation, BucketError> {
        let amounts = demand.amounts();
        let mut reservation =
            BucketReservation { shared: Arc::clone(&self.shared), owners: Vec::new(), demand: amounts };
        // What is set aside already goes back when the next bucket refuses.
        for owner in tenant.map(|tenant| Some(tenant.to_owned())).into_iter().chain([None]) {
            self.shared.reserve(&owner, &amounts)?;
            reservation.owners.push(owner);
        }
        Ok(reservation)
    }

    /// Replaces a reservation by what was used, which may be more: then the bucket is overdrawn,
    /// and later demands are refused until more is released.
    pub fn settle(&self, reservation: BucketReservation, used: Demand) {
        reservation.settle(used);
    }

    /// The tenant's bucket, if any, and the app's, each with every dimension.
    ///
    /// # Errors
    /// When a register cannot be read.
    pub fn lines(&self, tenant: Option<&str>) -> Result<Vec<BucketLine>, StateError> {
        let mut lines = Vec::new();
        for owner in tenant.map(|tenant| Some(tenant.to_owned())).into_iter().chain([None]) {
            self.shared.book(&owner)?;
            let (mut contents, _) = state::read(&*self.shared.store, &register(&owner)?)?;
            let bucket = Bucket { limit: self.shared.limit(&owner), contents: &mut contents };
            lines.extend(bucket.lines(&named(&owner)));
        }
        Ok(lines)
    }

    /// Tenants that are named in the configuration or have used something.
    ///
    /// # Errors
    /// When a register cannot be read.
    pub fn tenants(&self) -> Result<Vec<String>, StateError> {
        let mut tenants: Vec<String> = locked(&self.shared.spec).tenants.keys().cloned().collect();
        let stored = state::below::<Contents>(&*self.shared.store, &RegisterName::of(&[REGISTERS, "tenant"])?)?;
        tenants.extend(stored.into_iter().map(|(name, _)| name));
        tenants.extend(locked(&self.shared.unbooked).keys().flatten().cloned());
        tenants.sort();
        tenants.dedup();
        Ok(tenants)
    }

    /// New limits for a tenant, or for the app without one; what is used stays used, what was
    /// released stays released. Not stored: limits come from the configuration.
    pub fn set_limit(&self, tenant: Option<&str>, limit: BucketSpec) {
        let mut spec = locked(&self.shared.spec);
        match tenant {
            None => spec.app = limit,
            Some(tenant) => drop(spec.tenants.insert(tenant.to_owned(), limit)),
        }
    }

    /// A person's release: that much more than the limit for a tenant, or for the app without one.
    /// An overdrawn bucket first makes good what was overdrawn.
    ///
    /// # Errors
    /// When the register cannot be changed.
    pub fn release(&self, tenant: Option<&str>, extra: Demand) -> Result<(), StateError> {
        let owner = tenant.map(str::to_owned);
        self.shared.change(&owner, |bucket| each(&mut bucket.contents.released, &extra.amounts(), u64::saturating_add))
    }
}

/// A demand set aside. Dropped without being settled, it goes back whole.
#[derive(Debug)]
#[must_use = "a reservation that is dropped goes back at once"]
pub struct BucketReservation {
    shared: Arc<Shared>,
    /// Whose buckets it is set aside in.
    owners: Vec<Owner>,
    demand: Amounts,
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

    /// Where that fails it stays set aside: too little is left then, never too much.
    fn close(&mut self, used: &Amounts) {
        for owner in std::mem::take(&mut self.owners) {
            let closed = if self.shared.is_unlimited(&owner) {
                self.shared.book_later(&owner, used)
            } else {
                self.shared.close(&owner, &self.demand, used)
            };
            if let Err(error) = closed {
                tracing::warn!(bucket = named(&owner), %error, "what was used is not booked, and stays reserved");
            }
        }
    }
}

impl Drop for BucketReservation {
    fn drop(&mut self) {
        self.close(&Amounts::default());
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use countersign_store::memory::MemoryStore;
    use countersign_store::sqlite::SqliteStore;

    use super::*;

    fn buckets(spec: &BucketsSpec) -> Buckets {
        Buckets::new(Arc::new(MemoryStore::new()), spec)
    }

    fn refused(result: Result<BucketReservation, BucketError>) -> BucketRefused {
        match result.unwrap_err() {
            BucketError::Refused(refused) => refused,
            other => panic!("{other}"),
        }
    }

    fn spec(text: &str) -> BucketsSpec {
        toml::from_str(text).unwrap()
    }

    fn tokens(tokens: u64) -> Demand {
        Demand { tokens, ..Demand::default() }
    }

    fn line(buckets: &Buckets, tenant: Option<&str>, bucket: &str, dimension: &str) -> BucketLine {
        let mut lines = buckets.lines(tenant).unwrap().into_iter();
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
        let buckets = buckets(&spec);
        for (tenant, demand, wanted) in table {
            // Each reservation goes back at the end of its row.
            let found = buckets.reserve(tenant, demand);
            let found = found.err().map(|error| match error {
                BucketError::Refused(refused) => refused,
                other => panic!("{other}"),
            });
            let found = found.as_ref().map(|r| (r.bucket.as_str(), r.dimension, r.demand, r.left));
            assert_eq!(found, wanted, "{tenant:?} {demand:?}");
        }
        assert!(buckets.lines(Some("acme")).unwrap().iter().all(|line| line.reserved == 0 && line.used == 0));
        let error = refused(buckets.reserve(Some("acme"), tokens(31)));
        assert_eq!(
            error.to_string(),
            "tenant acme has 30 left of `tokens`, and 31 is asked for; release more, or raise the limit in the \
             configuration"
        );
        assert!(toml::from_str::<BucketsSpec>("[app]\ntoken = 1").is_err());
        assert!(toml::from_str::<BucketsSpec>("[apps]").is_err());
    }

    #[test]
    fn an_exhausted_tenant_stops_no_other_and_a_release_lets_it_go_on() {
        let buckets = buckets(&spec("[app]\ntokens = 1000\n[default]\ntokens = 10"));
        let shared = buckets.clone();
        let reserved = buckets.reserve(Some("a"), tokens(4)).unwrap();
        assert_eq!(reserved.demand(), tokens(4));
        // More than was reserved, and more than there is.
        shared.settle(reserved, tokens(13));
        assert_eq!(refused(buckets.reserve(Some("a"), tokens(1))).left, 0);
        assert!(buckets.reserve(Some("a"), Demand { money: 5, ..Demand::default() }).is_ok());
        assert!(buckets.reserve(Some("b"), tokens(10)).is_ok());
        buckets.release(Some("a"), tokens(3)).unwrap();
        assert_eq!(refused(buckets.reserve(Some("a"), tokens(1))).left, 0);
        buckets.release(Some("a"), tokens(2)).unwrap();
        assert!(buckets.reserve(Some("a"), tokens(2)).is_ok());
        assert_eq!(refused(buckets.reserve(Some("b"), tokens(11))).left, 10);
        buckets.set_limit(Some("a"), BucketSpec { tokens: Some(20), ..BucketSpec::default() });
        assert_eq!(line(&buckets, Some("a"), "tenant a", "tokens").left, Some(20 + 5 - 13));
        buckets.set_limit(None, BucketSpec { tokens: Some(14), ..BucketSpec::default() });
        assert_eq!(refused(buckets.reserve(Some("b"), tokens(2))).bucket, "app");
        buckets.release(None, tokens(1)).unwrap();
        assert!(buckets.reserve(Some("b"), tokens(2)).is_ok());
        assert_eq!(buckets.tenants().unwrap(), ["a", "b"]);
    }

    #[test]
    fn two_hundred_small_calls_stop_at_the_envelope() {
        let buckets = buckets(&spec("[default]\nrecords-touched = 150"));
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
        let buckets = buckets(&spec("[app]\ntokens = 1000\n[default]\ntokens = 400"));
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
            let buckets = buckets(&spec);
            let mut open = Vec::new();
            let names = [None, Some("a"), Some("b"), Some("c")];
            let all = |buckets: &Buckets| names.map(|name| buckets.lines(name).unwrap());
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

    /// Another process, or the next run of the same one: each opens the store anew.
    #[test]
    fn what_is_used_reserved_and_released_counts_for_everybody_who_opens_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let open = |spec: &BucketsSpec| {
            let store = SqliteStore::open(&folder.path().join("runs.db")).unwrap();
            Buckets::new(Arc::new(store), spec)
        };
        let spec = spec("[app]\ntokens = 1000\n[default]\ntokens = 10\n[tenants.b]\ntokens = 20");
        let buckets = open(&spec);
        buckets.reserve(Some("a"), tokens(4)).unwrap().settle(tokens(3));
        buckets.release(Some("a"), tokens(100)).unwrap();
        // Its process is lost: whether it happened is unknown, so it counts.
        std::mem::forget(buckets.reserve(Some("b"), tokens(5)).unwrap());
        let again = open(&spec);
        let left = |tenant| line(&again, Some(tenant), &format!("tenant {tenant}"), "tokens").left;
        assert_eq!((left("a"), left("b"), left("c")), (Some(107), Some(15), Some(10)));
        let app = line(&again, None, "app", "tokens");
        assert_eq!(app.used + app.reserved, 8);
        again.reserve(Some("b"), tokens(15)).unwrap().settle(tokens(15));
        assert_eq!(refused(buckets.reserve(Some("b"), tokens(1))).left, 0, "the other one sees it");
        // Today's limits hold, not those of then.
        let tighter = open(&toml::from_str("[default]\ntokens = 2").unwrap());
        assert_eq!(line(&tighter, Some("b"), "tenant b", "tokens").left, Some(0));
        assert_eq!(line(&tighter, Some("b"), "app", "tokens").left, None);
    }

    #[test]
    fn what_is_used_of_a_bucket_without_limits_is_booked_all_the_same() {
        let store: SharedStore = Arc::new(MemoryStore::new());
        let buckets = Buckets::new(Arc::clone(&store), &BucketsSpec::default());
        for _ in 0..3 {
            buckets.reserve(Some("a"), tokens(5)).unwrap().settle(tokens(4));
        }
        drop(buckets);
        let limited = Buckets::new(store, &spec("[default]\ntokens = 15"));
        assert_eq!(line(&limited, Some("a"), "tenant a", "tokens").used, 12);
        assert_eq!(refused(limited.reserve(Some("a"), tokens(4))).left, 3);
    }

    #[test]
    fn where_nobody_can_tell_what_is_left_nothing_is_set_aside() {
        for damage in ["{", "{\"version\":2,\"value\":{}}", "{\"version\":1,\"value\":{\"used\":{}}}"] {
            let store: SharedStore = Arc::new(MemoryStore::new());
            let name = register(&Some("a".to_owned())).unwrap();
            store.compare_and_set(&name, None, damage.as_bytes()).unwrap();
            let buckets = Buckets::new(Arc::clone(&store), &spec("[app]\ntokens = 9\n[default]\ntokens = 9"));
            let error = buckets.reserve(Some("a"), tokens(1)).unwrap_err();
            assert!(matches!(error, BucketError::State(_)), "{error}");
            assert_eq!(store.register(&name).unwrap().unwrap().value, damage.as_bytes(), "it is left as it is");
            assert!(buckets.reserve(Some("b"), tokens(9)).is_ok(), "nothing was set aside, and others go on");
        }
    }
}
