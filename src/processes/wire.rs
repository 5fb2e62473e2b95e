//! Values to bytes and back: serde and postcard.
//!
//! A `Vec<u8>` goes through serde byte by byte, a [`Blob`] in one piece: for large raw data.
//! Panics of a user's `Serialize` or `Deserialize` are caught here, on both sides: they cost a job,
//! never a worker or the parent.
//! Read next: `processes/job.rs`.

#![forbid(unsafe_code)]

use std::fmt;

use serde::de::{DeserializeOwned, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::parts::unwind;
use crate::processes::spare;

/// Bytes as one piece: encoded and decoded with a copy instead of an element at a time.
///
/// ```
/// use trefoil::processes::Blob;
///
/// let picture = Blob(vec![0; 1 << 20]);
/// assert_eq!(picture.0.len(), 1 << 20);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blob(
    /// The bytes.
    pub Vec<u8>,
);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(BlobVisitor)
    }
}

/// Takes the bytes as a format has them.
struct BlobVisitor;

impl<'de> Visitor<'de> for BlobVisitor {
    type Value = Blob;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Blob, E> {
        Ok(Blob(bytes.to_vec()))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Blob, E> {
        Ok(Blob(bytes))
    }

    // Text formats (JSON) have no bytes of their own, only lists of numbers.
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Blob, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = seq.next_element()? {
            bytes.push(byte);
        }
        Ok(Blob(bytes))
    }
}

/// What a user's code said, or that it panicked and what it said then.
fn settled<T>(
    result: Result<postcard::Result<T>, Box<dyn std::any::Any + Send>>,
) -> Result<T, String> {
    match result {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(error.to_string()),
        Err(payload) => {
            let text = unwind::message(&*payload);
            unwind::discard(payload);
            Err(format!(
                "panicked: {}",
                text.as_deref().unwrap_or("Box<dyn Any>")
            ))
        }
    }
}

/// Where postcard puts the bytes: at the end of a vector.
struct Appending<'a>(&'a mut Vec<u8>);

impl postcard::ser_flavors::Flavor for Appending<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        if bytes.len() >= spare::LARGE && self.0.capacity() - self.0.len() < bytes.len() {
            let mut larger = spare::take(self.0.len() + bytes.len());
            larger.extend_from_slice(self.0);
            spare::give(std::mem::replace(self.0, larger));
        }
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Appends the bytes of a value.
///
/// # Errors
///
/// What serde said, or the panic; `bytes` is as it was then.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T, bytes: &mut Vec<u8>) -> Result<(), String> {
    let before = bytes.len();
    let result = settled(unwind::catch(|| {
        postcard::serialize_with_flavor(value, Appending(bytes))
    }));
    if result.is_err() {
        bytes.truncate(before);
    }
    result
}

/// The value that starts these bytes; takes its bytes off them.
///
/// # Errors
///
/// What serde said, or the panic.
pub(crate) fn decode_next<T: DeserializeOwned>(bytes: &mut &[u8]) -> Result<T, String> {
    let (value, rest) = settled(unwind::catch(|| postcard::take_from_bytes(bytes)))?;
    *bytes = rest;
    Ok(value)
}

/// The value that these bytes are.
///
/// # Errors
///
/// What serde said, the panic, or that bytes are left over.
pub(crate) fn decode<T: DeserializeOwned>(mut bytes: &[u8]) -> Result<T, String> {
    let value = decode_next(&mut bytes)?;
    if bytes.is_empty() {
        Ok(value)
    } else {
        Err(format!("{} bytes left over", bytes.len()))
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_blob_survives_the_way() {
        let mut bytes = Vec::new();
        encode(&(7_u8, Blob(vec![1, 2, 3])), &mut bytes).unwrap();
        assert_eq!(decode(&bytes), Ok((7_u8, Blob(vec![1, 2, 3]))));
    }

    #[test]
    fn bytes_left_over_are_an_error() {
        assert!(decode::<u8>(&[1, 2]).is_err());
        assert!(decode::<u8>(&[]).is_err());
    }
}
