//! The files of a certificate and its key.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, ensure};
use blake3::Hash;
use rustls::{
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};

/// The largest file that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Where the certificate and its key are, both as PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate, with the intermediate certificates behind it.
    pub certificate: PathBuf,
    /// The private key of the certificate.
    pub key: PathBuf,
}

/// The contents of both files at one time.
pub(super) struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Contents {
    /// A digest of both contents, to notice changes.
    pub(super) fn fingerprint(&self) -> Hash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(blake3::hash(&self.certificate).as_bytes());
        hasher.update(blake3::hash(&self.key).as_bytes());
        hasher.finalize()
    }
}

impl TlsFiles {
    /// Reads both files.
    pub(super) fn read(&self) -> Result<Contents> {
        let certificate = read(&self.certificate)
            .with_context(|| format!("cannot read the certificate {}", self.certificate.display()))?;
        let key =
            read(&self.key).with_context(|| format!("cannot read the private key {}", self.key.display()))?;
        Ok(Contents { certificate, key })
    }

    /// The certificate with its key, if the contents are a pair that fits.
    pub(super) fn certified_key(&self, contents: &Contents) -> Result<CertifiedKey> {
        let certificate = self.certificate.display();
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&contents.certificate)
            .collect::<Result<_, _>>()
            .map_err(|error| anyhow!("{certificate} is no certificate in PEM: {error}"))?;
        ensure!(!chain.is_empty(), "{certificate} has no certificate in PEM");
        let key = self.key.display();
        // The parser's error could quote the key.
        let pem = PrivateKeyDer::from_pem_slice(&contents.key)
            .map_err(|_| anyhow!("{key} has no private key in PEM"))?;
        CertifiedKey::from_der(chain, pem, &ring::default_provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                anyhow!("the private key {key} does not belong to the certificate {certificate}")
            }
            error => anyhow!("{certificate} with {key} cannot be used: {error}"),
        })
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}
