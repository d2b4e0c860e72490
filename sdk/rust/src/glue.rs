//! What the macro expands to. Not for authors.

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::bindings::countersign::policy::types;
use crate::bindings::exports::countersign::policy::policy::Guest;
use crate::{ConfigError, Policy};

/// Where the one instance of a policy lives; implemented by the macro.
pub trait Instance: Policy {
    /// Hands it to a function.
    fn with<R>(call: impl FnOnce(&RefCell<Option<Self>>) -> R) -> R;
}

/// A policy as a component: every slot's exports are implemented for it.
pub struct Component<P>(PhantomData<P>);

impl<P: Instance> Guest for Component<P> {
    fn describe() -> types::Descriptor {
        types::Descriptor {
            name: P::NAME.to_owned(),
            version: P::VERSION.to_owned(),
            purpose: P::PURPOSE.to_owned(),
            stateless: P::STATELESS,
            configuration_schema: P::CONFIGURATION_SCHEMA.to_owned(),
        }
    }

    fn configure(json: String) -> Result<(), types::ConfigError> {
        std::panic::set_hook(Box::new(|panic| crate::log::error(&panic.to_string())));
        let policy = parse(&json)
            .and_then(P::configure)
            .map_err(|ConfigError { key, message }| types::ConfigError { key, message })?;
        P::with(|instance| *instance.borrow_mut() = Some(policy));
        Ok(())
    }
}

fn parse<C: serde::de::DeserializeOwned>(json: &str) -> Result<C, ConfigError> {
    crate::json::from_str(json).map_err(|error| ConfigError::at("", error.to_string()))
}

/// Runs one call on the policy.
pub fn with<P: Instance, R>(call: impl FnOnce(&mut P) -> R) -> R {
    P::with(|instance| match instance.borrow_mut().as_mut() {
        Some(policy) => call(policy),
        None => panic!("{} was called before it was configured", P::NAME),
    })
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
                static POLICY: ::std::cell::RefCell<::std::option::Option<$policy>> =
                    const { ::std::cell::RefCell::new(None) };
            }
            impl $crate::glue::Instance for $policy {
                fn with<R>(call: impl FnOnce(&::std::cell::RefCell<::std::option::Option<Self>>) -> R) -> R {
                    POLICY.with(call)
                }
            }
            type Component = $crate::glue::Component<$policy>;
            $crate::bindings::export!(Component with_types_in $crate::bindings);
            $($crate::$slot::bindings::export!(Component with_types_in $crate::$slot::bindings);)+
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            $(const _: fn() = || {
                fn fills<P: $crate::$slot::Fills>() {}
                fills::<$policy>();
            };)+
        };
    };
}
