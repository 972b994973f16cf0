//! TLS with a certificate and key from files, which may be replaced while the server runs.

mod files;
mod reload;

use std::sync::{Arc, PoisonError, RwLock};

use anyhow::Result;
use rustls::{
    ServerConfig,
    crypto::ring,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio_rustls::TlsAcceptor;

pub use self::{files::TlsFiles, reload::Reload};

/// The certificate that new connections get.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl Current {
    fn replace(&self, certificate: CertifiedKey) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certificate);
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// Loads the files. Returns what accepts connections, and what loads the files again when they change.
pub fn load(files: TlsFiles) -> Result<(TlsAcceptor, Reload)> {
    let contents = files.read()?;
    let current = Arc::new(Current(RwLock::new(Arc::new(files.certified_key(&contents)?))));
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = config.with_no_client_auth().with_cert_resolver(current.clone());
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let reload = Reload::new(files, contents.fingerprint(), current);
    Ok((TlsAcceptor::from(Arc::new(config)), reload))
}
