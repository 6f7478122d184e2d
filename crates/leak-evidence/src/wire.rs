//! The wire format of protocol buffers, as much of it as profiles need.
//!
//! An own reader, because a profile of a hundred megabytes is read as a stream into arenas, errors name their offset, and what is whole
//! in a truncated one is kept: generated code builds the whole message first and has none of the three.

use crate::error::Error;

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Varint(u64),
    /// Offset of its first byte in the input, and the bytes.
    Bytes(u64, &'a [u8]),
    /// Of four or eight bytes, which profiles have none of.
    Fixed,
}

/// Why a varint could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VarintError {
    /// The bytes end in it.
    Short,
    /// It is longer than ten bytes.
    Long,
}

/// A varint at the beginning of `bytes`, and its length.
#[inline]
pub(crate) fn varint(bytes: &[u8]) -> Result<(u64, usize), VarintError> {
    match bytes.first() {
        Some(byte) if *byte < 0x80 => return Ok((u64::from(*byte), 1)),
        None => return Err(VarintError::Short),
        _ => {}
    }
    let mut value = 0;
    for (i, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Ok((value, i + 1));
        }
    }
    Err(if bytes.len() < 10 {
        VarintError::Short
    } else {
        VarintError::Long
    })
}

/// The fields of a message that is whole.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    bytes: &'a [u8],
    offset: u64,
}

impl<'a> Fields<'a> {
    pub fn new(offset: u64, bytes: &'a [u8]) -> Self {
        Self { bytes, offset }
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Error> {
        let (value, len) =
            varint(self.bytes).map_err(|_| Error::malformed(self.offset, "a number is broken"))?;
        self.skip(len);
        Ok(value)
    }

    #[inline]
    fn skip(&mut self, len: usize) {
        self.bytes = &self.bytes[len..];
        self.offset += len as u64;
    }

    /// The next field with its number.
    #[inline]
    pub fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, Error> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let at = self.offset;
        let key = self.varint()?;
        let (len, value) = match key & 7 {
            0 => return Ok(Some((key >> 3, Value::Varint(self.varint()?)))),
            1 => (8, Value::Fixed),
            2 => {
                let len = self.varint()?;
                let whole = usize::try_from(len)
                    .ok()
                    .and_then(|len| self.bytes.get(..len));
                let Some(bytes) = whole else {
                    return Err(Error::malformed(at, "a field is longer than its message"));
                };
                (bytes.len(), Value::Bytes(self.offset, bytes))
            }
            5 => (4, Value::Fixed),
            _ => return Err(Error::malformed(at, "a field has an unknown type")),
        };
        if self.bytes.len() < len {
            return Err(Error::malformed(at, "a field is longer than its message"));
        }
        self.skip(len);
        Ok(Some((key >> 3, value)))
    }
}

/// Calls `f` for each number of a repeated field, packed or not.
#[inline]
pub(crate) fn numbers(value: Value<'_>, mut f: impl FnMut(u64)) -> Result<(), Error> {
    match value {
        Value::Varint(number) => f(number),
        Value::Bytes(offset, bytes) => {
            let mut rest = bytes;
            while !rest.is_empty() {
                let Ok((number, len)) = varint(rest) else {
                    let at = offset + (bytes.len() - rest.len()) as u64;
                    return Err(Error::malformed(at, "a number is broken"));
                };
                f(number);
                rest = &rest[len..];
            }
        }
        Value::Fixed => {}
    }
    Ok(())
}
