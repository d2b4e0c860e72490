//! The contract's text, walked: the fields of each slot's question, and the readings of a run.

use anyhow::{Context, Result, bail};
use countersign::kernel::Slot;
use countersign_tests::root;
use wit_parser::{Interface, Resolve, Type, TypeDefKind};

/// What a field is, as far as it matters to whether it is filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Flag,
    Number,
    Text,
    /// Its cases.
    Enum(Vec<String>),
    Option(Box<Kind>),
    List(Box<Kind>),
    /// Its fields are fields of their own.
    Record,
}

/// A field of a question: the names that lead to it, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub path: Vec<String>,
    pub kind: Kind,
}

impl Field {
    /// As documents name it.
    pub fn name(&self) -> String {
        self.path.join(".")
    }
}

pub struct Contract {
    resolve: Resolve,
    interfaces: Vec<(String, Interface)>,
}

impl Contract {
    pub fn read() -> Result<Self> {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(root().join("wit/v0.1"))?;
        let named = resolve.packages[package].interfaces.iter();
        let interfaces = named.map(|(name, id)| (name.clone(), resolve.interfaces[*id].clone())).collect();
        Ok(Contract { resolve, interfaces })
    }

    fn interface(&self, name: &str) -> Result<&Interface> {
        let found = self.interfaces.iter().find(|(known, _)| known == name);
        Ok(&found.with_context(|| format!("the contract has no interface `{name}`"))?.1)
    }

    /// When a slot is asked, in the contract's own words.
    pub fn called(&self, slot: Slot) -> Result<String> {
        let docs = self.interface(slot.name())?.docs.contents.clone().unwrap_or_default();
        let text = docs.split_whitespace().collect::<Vec<_>>().join(" ");
        let sentence = text.split_inclusive(". ").find(|part| part.starts_with("Called") || part.starts_with("Asked"));
        let sentence = sentence.with_context(|| format!("wit: `{slot}` does not say when it is called"))?;
        Ok(sentence.trim().trim_end_matches('.').to_owned())
    }

    /// The fields of a slot's question, those of inner records behind the field that holds them.
    pub fn fields(&self, slot: Slot) -> Result<Vec<Field>> {
        let function = self.interface(slot.name())?.functions.get(slot.function());
        let function = function.with_context(|| format!("wit: `{slot}` has no function `{}`", slot.function()))?;
        let [asked] = &function.params[..] else { bail!("wit: `{slot}` is asked one record") };
        let mut fields = Vec::new();
        self.walk(&asked.ty, &mut Vec::new(), &mut fields)?;
        Ok(fields)
    }

    /// The readings of a run.
    pub fn readings(&self) -> Result<Vec<String>> {
        Ok(self.interface("run")?.functions.keys().cloned().collect())
    }

    /// Adds the fields of a record.
    fn walk(&self, ty: &Type, path: &mut Vec<String>, fields: &mut Vec<Field>) -> Result<()> {
        let TypeDefKind::Record(record) = self.definition(ty)? else { bail!("wit: expected a record at {path:?}") };
        for field in &record.fields {
            path.push(field.name.clone());
            let kind = self.kind(&field.ty)?;
            let record = holds_record(&kind);
            if kind != Kind::Record {
                fields.push(Field { path: path.clone(), kind });
            }
            if record {
                self.walk(&self.inner(&field.ty)?, path, fields)?;
            }
            path.pop();
        }
        Ok(())
    }

    fn kind(&self, ty: &Type) -> Result<Kind> {
        Ok(match ty {
            Type::Bool => Kind::Flag,
            Type::U32 | Type::U64 | Type::F64 => Kind::Number,
            Type::String => Kind::Text,
            Type::Id(_) => match self.definition(ty)? {
                TypeDefKind::Enum(cases) => Kind::Enum(cases.cases.iter().map(|case| case.name.clone()).collect()),
                TypeDefKind::Option(inner) => Kind::Option(Box::new(self.kind(inner)?)),
                TypeDefKind::List(inner) => Kind::List(Box::new(self.kind(inner)?)),
                TypeDefKind::Record(_) => Kind::Record,
                other => bail!("wit: questions have no {}", other.as_str()),
            },
            other => bail!("wit: questions have no {other:?}"),
        })
    }

    /// A type behind its other names.
    fn definition(&self, ty: &Type) -> Result<&TypeDefKind> {
        let Type::Id(id) = ty else { bail!("wit: {ty:?} has no definition") };
        match &self.resolve.types[*id].kind {
            TypeDefKind::Type(other) => self.definition(other),
            kind => Ok(kind),
        }
    }

    /// The record in an option or a list.
    fn inner(&self, ty: &Type) -> Result<Type> {
        match self.definition(ty)? {
            TypeDefKind::Option(inner) | TypeDefKind::List(inner) => self.inner(inner),
            _ => Ok(*ty),
        }
    }
}

fn holds_record(kind: &Kind) -> bool {
    match kind {
        Kind::Record => true,
        Kind::Option(inner) | Kind::List(inner) => holds_record(inner),
        _ => false,
    }
}
