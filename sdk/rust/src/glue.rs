//! What the macro expands to. Not for authors.

use std::cell::RefCell;

use crate::bindings::base::countersign::policy::types;
use crate::{ConfigError, Policy};

pub use crate::view::HostView;

/// Where the one instance of the policy lives.
pub type Slot<P> = RefCell<Option<P>>;

/// `policy.describe`.
pub fn describe<P: Policy>() -> types::Descriptor {
    types::Descriptor {
        name: P::NAME.to_owned(),
        version: P::VERSION.to_owned(),
        purpose: P::PURPOSE.to_owned(),
        stateless: P::STATELESS,
        configuration_schema: P::CONFIGURATION_SCHEMA.to_owned(),
    }
}

/// `policy.configure`.
pub fn configure<P: Policy>(slot: &Slot<P>, json: &str) -> Result<(), types::ConfigError> {
    std::panic::set_hook(Box::new(|panic| crate::log::error(&panic.to_string())));
    let policy = parse(json)
        .and_then(P::configure)
        .map_err(|ConfigError { key, message }| types::ConfigError { key, message })?;
    *slot.borrow_mut() = Some(policy);
    Ok(())
}

fn parse<C: serde::de::DeserializeOwned>(json: &str) -> Result<C, ConfigError> {
    crate::json::from_str(json).map_err(|error| ConfigError::at("", error.to_string()))
}

/// Runs one call on the policy.
pub fn with<P: Policy, R>(slot: &Slot<P>, call: impl FnOnce(&mut P) -> R) -> R {
    match slot.borrow_mut().as_mut() {
        Some(policy) => call(policy),
        None => panic!("{} was called before it was configured", P::NAME),
    }
}

/// Makes a component of a policy: `policy!(MyPolicy: risk);`, or several slots separated by commas.
///
/// Natively it only checks that the type implements the traits of its slots.
#[macro_export]
macro_rules! policy {
    ($policy:ty: $($slot:ident),+ $(,)?) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            ::std::thread_local! {
                static POLICY: $crate::glue::Slot<$policy> = const { ::std::cell::RefCell::new(None) };
            }
            struct Component;
            impl $crate::bindings::base::exports::countersign::policy::policy::Guest for Component {
                fn describe() -> $crate::bindings::base::countersign::policy::types::Descriptor {
                    $crate::glue::describe::<$policy>()
                }
                fn configure(
                    json: ::std::string::String,
                ) -> ::std::result::Result<(), $crate::bindings::base::countersign::policy::types::ConfigError> {
                    POLICY.with(|slot| $crate::glue::configure(slot, &json))
                }
            }
            $crate::bindings::base::export_base!(Component with_types_in $crate::bindings::base);
            $($crate::__slot!($policy, $slot);)+
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            $($crate::__slot_check!($policy, $slot);)+
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __slot {
    ($policy:ty, classifier) => {
        $crate::__slot!(@ $policy, classifier, Classifier, classify, export_classifier, Task, Classification);
    };
    ($policy:ty, confidence) => {
        $crate::__slot!(@ $policy, confidence, Confidence, judge, export_confidence, Answer, Trust);
    };
    ($policy:ty, doom_loop) => {
        $crate::__slot!(@ $policy, doom_loop, DoomLoop, observe, export_doom_loop, ObservedStep, Signal);
    };
    ($policy:ty, estimator) => {
        $crate::__slot!(@ $policy, estimator, Estimator, estimate, export_estimator, Progress, Forecast);
    };
    ($policy:ty, risk) => {
        $crate::__slot!(@ $policy, risk, Risk, judge, export_risk, ProposedAction, Assessment);
    };
    ($policy:ty, context) => {
        $crate::__slot!(@ $policy, context, Context, relieve, export_context, Pressure, Relief);
    };
    ($policy:ty, dispatch) => {
        $crate::__slot!(@ $policy, dispatch, Dispatch, assign, export_dispatch, SubTask, Assigned);
    };
    ($policy:ty, guard) => {
        $crate::__slot!(@ $policy, guard, Guard, inspect, export_guard, Passing, Inspection);
    };
    ($policy:ty, remediation) => {
        $crate::__slot!(@ $policy, remediation, Remediation, classify, export_remediation, FailedCall, Remedy);
    };
    ($policy:ty, sensitivity) => {
        $crate::__slot!(@ $policy, sensitivity, Sensitivity, rate, export_sensitivity, Text, Rating);
    };
    ($policy:ty, threshold) => {
        $crate::__slot!(@ $policy, threshold, Threshold, weigh, export_threshold, Ledger, Weighing);
    };
    (@ $policy:ty, $slot:ident, $trait:ident, $function:ident, $export:ident, $input:ident, $output:ident) => {
        impl $crate::bindings::$slot::exports::countersign::policy::$slot::Guest for Component {
            fn $function(input: $crate::$slot::$input) -> $crate::$slot::$output {
                POLICY.with(|slot| {
                    $crate::glue::with(slot, |policy| {
                        <$policy as $crate::$slot::$trait>::$function(policy, input, &$crate::glue::HostView)
                    })
                })
            }
        }
        $crate::bindings::$slot::$export!(Component with_types_in $crate::bindings::$slot);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __slot_check {
    ($policy:ty, classifier) => {
        $crate::__slot_check!(@ $policy, classifier::Classifier);
    };
    ($policy:ty, confidence) => {
        $crate::__slot_check!(@ $policy, confidence::Confidence);
    };
    ($policy:ty, doom_loop) => {
        $crate::__slot_check!(@ $policy, doom_loop::DoomLoop);
    };
    ($policy:ty, estimator) => {
        $crate::__slot_check!(@ $policy, estimator::Estimator);
    };
    ($policy:ty, risk) => {
        $crate::__slot_check!(@ $policy, risk::Risk);
    };
    ($policy:ty, context) => {
        $crate::__slot_check!(@ $policy, context::Context);
    };
    ($policy:ty, dispatch) => {
        $crate::__slot_check!(@ $policy, dispatch::Dispatch);
    };
    ($policy:ty, guard) => {
        $crate::__slot_check!(@ $policy, guard::Guard);
    };
    ($policy:ty, remediation) => {
        $crate::__slot_check!(@ $policy, remediation::Remediation);
    };
    ($policy:ty, sensitivity) => {
        $crate::__slot_check!(@ $policy, sensitivity::Sensitivity);
    };
    ($policy:ty, threshold) => {
        $crate::__slot_check!(@ $policy, threshold::Threshold);
    };
    (@ $policy:ty, $slot:ident :: $trait:ident) => {
        const _: fn() = || {
            fn fills<P: $crate::$slot::$trait>() {}
            fills::<$policy>();
        };
    };
}
