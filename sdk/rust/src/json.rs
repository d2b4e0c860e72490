//! A serde deserializer for configurations.
//!
//! Small rather than complete: `serde_json` would be two thirds of a policy's bytes and of its
//! compile time. The host has parsed the text and checked it against the schema before it gets
//! here, so errors name the place and little else. Numbers are read by `core`, to the last bit the
//! same natively and in wasm. What serde derives is instantiated once for each struct of a
//! configuration, so the parts that need not be are kept out of line.

use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

/// Why a text could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(&'static str);

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Error("a value is not what the configuration expects")
    }
    fn invalid_type(_: de::Unexpected<'_>, _: &dyn de::Expected) -> Self {
        Error("a value is of another type than the configuration expects")
    }
    fn invalid_value(_: de::Unexpected<'_>, _: &dyn de::Expected) -> Self {
        Error("a value is out of the range that the configuration expects")
    }
    fn invalid_length(_: usize, _: &dyn de::Expected) -> Self {
        Error("a list is shorter or longer than the configuration expects")
    }
    fn unknown_variant(_: &str, _: &'static [&'static str]) -> Self {
        Error("a word is none of those that the configuration knows")
    }
    fn unknown_field(_: &str, _: &'static [&'static str]) -> Self {
        Error("a key is none of those that the configuration knows")
    }
    fn missing_field(field: &'static str) -> Self {
        Error(field)
    }
    fn duplicate_field(_: &'static str) -> Self {
        Error("a key stands twice")
    }
}

/// Reads one value, the whole text.
pub fn from_str<T: de::DeserializeOwned>(text: &str) -> Result<T, Error> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    let value = T::deserialize(&mut reader)?;
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(Error("something follows the value")),
    }
}

/// Lists and objects may nest this deep.
const DEEPEST: u8 = 64;

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: u8,
}

impl<'a> Reader<'a> {
    /// The next byte that is no white space.
    #[inline(never)]
    fn peek(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        let skipped = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.at += skipped;
        rest.get(skipped).copied()
    }

    #[inline(never)]
    fn expect(&mut self, byte: u8) -> Result<(), Error> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(Error("the text is not JSON"))
        }
    }

    #[inline(never)]
    fn word(&mut self, word: &str) -> Result<(), Error> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(())
        } else {
            Err(Error("the text is not JSON"))
        }
    }

    #[inline(never)]
    fn number(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let inside = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let length = rest.bytes().take_while(inside).count();
        self.at += length;
        &rest[..length]
    }

    #[inline(never)]
    fn string(&mut self) -> Result<String, Error> {
        self.expect(b'"')?;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.bytes().take_while(|byte| !matches!(byte, b'"' | b'\\')).count();
            out.push_str(&rest[..plain]);
            self.at += plain + 1;
            match rest.as_bytes().get(plain) {
                Some(b'"') => return Ok(out),
                Some(_) => out.push(self.escape()?),
                None => return Err(Error("a text does not end")),
            }
        }
    }

    #[inline(never)]
    fn escape(&mut self) -> Result<char, Error> {
        let byte = self.text.as_bytes().get(self.at).copied().unwrap_or(0);
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let mut code = self.unit()?;
                if (0xD800..0xDC00).contains(&code) {
                    self.word("\\u")?;
                    let low = self.unit()?;
                    code = 0x10000 + ((code - 0xD800) << 10) + (low.wrapping_sub(0xDC00) & 0x3FF);
                }
                char::from_u32(code).ok_or(Error("an escape is no character"))?
            }
            _ => return Err(Error("an escape is unknown")),
        })
    }

    #[inline(never)]
    fn unit(&mut self) -> Result<u32, Error> {
        let digits = self.text.get(self.at..self.at + 4).ok_or(Error("an escape does not end"))?;
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| Error("an escape is no number"))
    }

    #[inline(never)]
    fn flag(&mut self) -> Result<bool, Error> {
        if self.peek() == Some(b't') {
            self.word("true")?;
            return Ok(true);
        }
        self.word("false")?;
        Ok(false)
    }

    #[inline(never)]
    fn parsed<T: std::str::FromStr>(&mut self) -> Result<T, Error> {
        self.peek();
        self.number().parse().map_err(|_| Error("a value is of another type than the configuration expects"))
    }

    /// Passes over one value.
    #[inline(never)]
    fn skip(&mut self) -> Result<(), Error> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'[') => self.nested(|reader| {
                let mut items = Items { reader, first: true };
                while items.more(b']')? {
                    items.reader.skip()?;
                }
                reader.expect(b']')
            }),
            Some(b'{') => self.nested(|reader| {
                let mut items = Items { reader, first: true };
                while items.more(b'}')? {
                    items.reader.string()?;
                    items.reader.expect(b':')?;
                    items.reader.skip()?;
                }
                reader.expect(b'}')
            }),
            Some(b'n') => self.word("null"),
            Some(b't' | b'f') => self.flag().map(drop),
            Some(_) => self.parsed::<f64>().map(drop),
            None => Err(Error("the text ends too early")),
        }
    }

    fn list<'de, V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        self.nested(|reader| {
            let value = visitor.visit_seq(Items { reader, first: true })?;
            reader.expect(b']')?;
            Ok(value)
        })
    }

    fn object<'de, V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        self.nested(|reader| {
            let value = visitor.visit_map(Items { reader, first: true })?;
            reader.expect(b'}')?;
            Ok(value)
        })
    }

    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.depth == DEEPEST {
            return Err(Error("the text nests too deep"));
        }
        self.depth += 1;
        self.at += 1;
        let value = inner(self)?;
        self.depth -= 1;
        Ok(value)
    }
}

impl<'de> Deserializer<'de> for &mut Reader<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.peek() {
            Some(b'n') => {
                self.word("null")?;
                visitor.visit_unit()
            }
            Some(b't' | b'f') => visitor.visit_bool(self.flag()?),
            Some(b'"') => visitor.visit_string(self.string()?),
            Some(b'[') => self.list(visitor),
            Some(b'{') => self.object(visitor),
            Some(_) => {
                let number = self.number();
                if let Ok(value) = number.parse() {
                    visitor.visit_u64(value)
                } else if let Ok(value) = number.parse() {
                    visitor.visit_i64(value)
                } else {
                    let value = number.parse().map_err(|_| Error("the text is not JSON"))?;
                    visitor.visit_f64(value)
                }
            }
            None => Err(Error("the text ends too early")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.peek() == Some(b'n') {
            self.word("null")?;
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.peek() == Some(b'{') {
            self.nested(|reader| {
                let value = visitor.visit_enum(Tagged(reader))?;
                reader.expect(b'}')?;
                Ok(value)
            })
        } else {
            visitor.visit_enum(de::value::StringDeserializer::new(self.string()?))
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(self.flag()?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_f64(self.parsed()?)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u64(self.parsed()?)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_i64(self.parsed()?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.string()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.peek() == Some(b'[') { self.list(visitor) } else { Err(Error("a list was expected")) }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.peek() == Some(b'{') { self.object(visitor) } else { Err(Error("an object was expected")) }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.skip()?;
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        i8 i16 u8 u16 f32 char bytes byte_buf unit unit_struct tuple tuple_struct
    }
}

struct Items<'r, 'a> {
    reader: &'r mut Reader<'a>,
    first: bool,
}

impl Items<'_, '_> {
    #[inline(never)]
    fn more(&mut self, end: u8) -> Result<bool, Error> {
        if self.reader.peek() == Some(end) {
            return Ok(false);
        }
        if !self.first {
            self.reader.expect(b',')?;
        }
        self.first = false;
        Ok(true)
    }
}

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = Error;
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if self.more(b']')? { seed.deserialize(&mut *self.reader).map(Some) } else { Ok(None) }
    }
}

impl<'de> MapAccess<'de> for Items<'_, '_> {
    type Error = Error;
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        if self.more(b'}')? { seed.deserialize(&mut *self.reader).map(Some) } else { Ok(None) }
    }
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        self.reader.expect(b':')?;
        seed.deserialize(&mut *self.reader)
    }
}

struct Tagged<'r, 'a>(&'r mut Reader<'a>);

impl<'de> EnumAccess<'de> for Tagged<'_, '_> {
    type Error = Error;
    type Variant = Self;
    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let name = seed.deserialize(&mut *self.0)?;
        self.0.expect(b':')?;
        Ok((name, self))
    }
}

impl<'de> VariantAccess<'de> for Tagged<'_, '_> {
    type Error = Error;
    fn unit_variant(self) -> Result<(), Error> {
        Err(Error("a word was expected"))
    }
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.0)
    }
    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.0.deserialize_any(visitor)
    }
    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.0.deserialize_any(visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        number: f64,
        #[serde(default)]
        text: String,
        #[serde(default)]
        list: Vec<Option<i32>>,
        #[serde(default)]
        ignored: Option<de::IgnoredAny>,
        word: Word,
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Word {
        Plain,
        With(u8),
    }

    #[test]
    fn reads_what_serde_derives() {
        let read = from_str::<Sample>(
            r#" {"number": 0.1, "text": "a\n\"\u00e9\ud83d\ude00", "list": [1, null, -3], "ignored": {"x": [{}]}, "word": {"with": 7}} "#,
        );
        assert_eq!(
            read,
            Ok(Sample {
                number: 0.1,
                text: "a\n\"é😀".to_owned(),
                list: vec![Some(1), None, Some(-3)],
                ignored: Some(de::IgnoredAny),
                word: Word::With(7),
            })
        );
        assert_eq!(from_str::<Word>("\"plain\""), Ok(Word::Plain));
    }

    #[test]
    fn refuses_what_is_not_json_without_a_panic() {
        let deep = "[".repeat(100_000);
        for text in
            ["", "{", "[1,", "[1 2]", "\"", "\"\\", "\"\\u12", "\"\\ud800x\"", "nul", "-", "1 1", "{\"a\"}", &deep]
        {
            assert!(from_str::<de::IgnoredAny>(text).is_err(), "{}", &text[..text.len().min(20)]);
        }
        assert!(from_str::<Sample>(r#"{"number": 1, "word": "plain", "extra": 1}"#).is_err());
        assert!(from_str::<Sample>(r#"{"word": "plain"}"#).is_err());
    }
}
