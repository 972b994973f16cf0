//! Self-signed certificates for 127.0.0.1 and localhost, made for one test each. No key is in the repository.
//!
//! A certificate is a handful of nested DER values, so they are written here. A crate that does the same brings one for
//! calendar times that nothing else needs.

use std::{fs, path::Path};

use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_ID: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
/// `ecdsa-with-SHA256`
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
/// `id-ecPublicKey`
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// `prime256v1`
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// `id-at-commonName`
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// `id-ce-subjectAltName`
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// A certificate with its key.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate in DER.
    pub der: Vec<u8>,
    key: Vec<u8>,
}

impl Certificate {
    /// A new certificate with this name and a new key.
    pub fn new(name: &str) -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("there is randomness");
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).expect("it was just made");
        let content = content(name, pair.public_key().as_ref());
        let signature = pair.sign(&random, &content).expect("there is randomness");
        let der = der(SEQUENCE, &[&content, &signature_algorithm(), &bits(signature.as_ref())]);
        Self { der, key: key.as_ref().to_vec() }
    }

    /// Writes the certificate as PEM.
    pub fn write_certificate(&self, path: &Path) {
        fs::write(path, pem("CERTIFICATE", &self.der)).expect("a temporary folder can be written");
    }

    /// Writes the private key as PEM.
    pub fn write_key(&self, path: &Path) {
        fs::write(path, pem("PRIVATE KEY", &self.key)).expect("a temporary folder can be written");
    }
}

/// What is signed.
fn content(name: &str, public_key: &[u8]) -> Vec<u8> {
    let version = der(0xa0, &[&der(INTEGER, &[&[2]])]);
    let serial = der(INTEGER, &[&[1]]);
    let common_name =
        der(SEQUENCE, &[&der(OBJECT_ID, &[COMMON_NAME]), &der(UTF8_STRING, &[name.as_bytes()])]);
    let name = der(SEQUENCE, &[&der(SET, &[&common_name])]);
    let time = |text: &str| der(UTC_TIME, &[text.as_bytes()]);
    let validity = der(SEQUENCE, &[&time("200101000000Z"), &time("491231235959Z")]);
    let key_algorithm = der(SEQUENCE, &[&der(OBJECT_ID, &[EC_PUBLIC_KEY]), &der(OBJECT_ID, &[P256])]);
    let key = der(SEQUENCE, &[&key_algorithm, &bits(public_key)]);
    let hosts = der(SEQUENCE, &[&der(0x82, &[b"localhost"]), &der(0x87, &[&[127, 0, 0, 1]])]);
    let hosts = der(SEQUENCE, &[&der(OBJECT_ID, &[SUBJECT_ALT_NAME]), &der(OCTET_STRING, &[&hosts])]);
    let extensions = der(0xa3, &[&der(SEQUENCE, &[&hosts])]);
    let parts = [&version, &serial, &signature_algorithm(), &name, &validity, &name, &key, &extensions];
    der(SEQUENCE, &parts.map(Vec::as_slice))
}

fn signature_algorithm() -> Vec<u8> {
    der(SEQUENCE, &[&der(OBJECT_ID, &[ECDSA_WITH_SHA256])])
}

/// Whole bytes as a string of bits.
fn bits(bytes: &[u8]) -> Vec<u8> {
    der(BIT_STRING, &[&[0], bytes])
}

/// A value in DER.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).expect("certificates are short").to_be_bytes();
    let head = match length {
        [0, low] if low < 0x80 => vec![tag, low],
        [0, low] => vec![tag, 0x81, low],
        [high, low] => vec![tag, 0x82, high, low],
    };
    [head, content].concat()
}

fn pem(label: &str, der: &[u8]) -> String {
    let lines: Vec<_> = der.chunks(48).map(base64).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |group: &[u8]| {
        let value = group.iter().fold(0_usize, |value, byte| value << 8 | usize::from(*byte));
        let value = value << (8 * (3 - group.len()));
        let digit = |at: usize| char::from(DIGITS[value >> (18 - 6 * at) & 63]);
        let digits = (0..=group.len()).map(digit).collect::<String>();
        format!("{digits:=<4}")
    };
    bytes.chunks(3).map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_has_its_padding() {
        for (bytes, text) in [("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
