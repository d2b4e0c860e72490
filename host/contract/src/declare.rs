//! The three kinds of types that the contract has. Each is declared once, with its names in the WIT: as
//! these names it is written to traces, and with the feature `component` it is lifted and lowered by them.

/// An `enum` of the WIT. `name` is its case's name there; shown to people its hyphens are spaces.
macro_rules! cases {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$case_meta:meta])* $case:ident = $wit:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(
            feature = "component",
            derive(wasmtime::component::ComponentType, wasmtime::component::Lift, wasmtime::component::Lower),
            component(enum)
        )]
        #[repr(u8)]
        pub enum $name {
            $($(#[$case_meta])*
            #[serde(rename = $wit)]
            #[cfg_attr(feature = "component", component(name = $wit))]
            $case,)+
        }

        impl $name {
            /// Every case, in the order of the WIT.
            pub const ALL: [$name; [$($wit),+].len()] = [$($name::$case),+];

            /// The names of its cases, in the order of the WIT.
            pub const NAMES: &'static [&'static str] = &[$($wit),+];

            /// As the WIT, traces and settings name it.
            pub const fn name(self) -> &'static str {
                match self { $($name::$case => $wit),+ }
            }
        }

        impl crate::identity::Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                out.push(*self as u8);
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.name().replace('-', " "))
            }
        }
    };
}

/// A `record` of the WIT. A field whose name there is another one than in Rust says so: `of as "of-wit": T`.
macro_rules! record {
    ($(#[$meta:meta])* pub struct $name:ident {
        $($(#[$field_meta:meta])* pub $field:ident $(as $wit:literal)?: $type:ty),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        #[cfg_attr(
            feature = "component",
            derive(wasmtime::component::ComponentType, wasmtime::component::Lift, wasmtime::component::Lower),
            component(record)
        )]
        pub struct $name {
            $($(#[$field_meta])*
            $(#[serde(rename = $wit)] #[cfg_attr(feature = "component", component(name = $wit))])?
            pub $field: $type,)+
        }

        impl crate::identity::Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                $(crate::identity::Encode::encode(&self.$field, out);)+
            }
        }
    };
}

/// A `variant` of the WIT.
macro_rules! variant {
    (@encode $self:ident $out:ident $name:ident $case:ident) => {};
    (@encode $self:ident $out:ident $name:ident $case:ident ($type:ty)) => {
        if let $name::$case(held) = $self {
            crate::identity::Encode::encode(held, $out);
        }
    };
    ($(#[$meta:meta])* pub enum $name:ident {
        $($(#[$case_meta:meta])* $case:ident $(($type:ty))? = $wit:literal),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(
            feature = "component",
            derive(wasmtime::component::ComponentType, wasmtime::component::Lift, wasmtime::component::Lower),
            component(variant)
        )]
        pub enum $name {
            $($(#[$case_meta])*
            #[serde(rename = $wit)]
            #[cfg_attr(feature = "component", component(name = $wit))]
            $case $(($type))?,)+
        }

        impl $name {
            /// The names of its cases, in the order of the WIT.
            pub const NAMES: &'static [&'static str] = &[$($wit),+];

            /// The name of its case in the WIT.
            pub fn name(&self) -> &'static str {
                match self { $($name::$case { .. } => $wit),+ }
            }
        }

        impl crate::identity::Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                crate::identity::Encode::encode(self.name(), out);
                $(variant!(@encode self out $name $case $(($type))?);)+
            }
        }
    };
}
