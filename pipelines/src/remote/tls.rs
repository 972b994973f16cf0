//! TLS of the commands: which authorities the certificate of a server may come from.
//!
//! By default they are those of the system, which `SSL_CERT_FILE` and `SSL_CERT_DIR` replace, as for other programs. A
//! file of one's own takes their place, so that no public authority can vouch for an internal server.

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result, anyhow, ensure};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio_rustls::TlsConnector;

/// What makes TLS connections to servers whose certificates come from the authorities in `ca_cert`, or from those of the
/// system.
pub fn connector(ca_cert: Option<&Path>) -> Result<TlsConnector> {
    let roots = match ca_cert {
        Some(path) => own(path)?,
        None => of_system()?,
    };
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions()?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn own(path: &Path) -> Result<RootCertStore> {
    let file = path.display();
    let pem = std::fs::read(path).with_context(|| format!("cannot read the authorities in {file}"))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate =
            certificate.map_err(|error| anyhow!("{file} is no file of certificates in PEM: {error}"))?;
        roots.add(certificate).with_context(|| format!("{file} has an invalid certificate"))?;
    }
    ensure!(!roots.is_empty(), "{file} has no certificate in PEM");
    Ok(roots)
}

fn of_system() -> Result<RootCertStore> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Some systems have certificates that cannot be read; the others are good nevertheless.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let reason = found.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
        return Err(anyhow!(
            "this system has no certificates of authorities{reason}; name one with --ca-cert"
        ));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        for content in ["", "nothing", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            std::fs::write(&path, content).unwrap();
            let error = connector(Some(&path)).err().unwrap().to_string();
            assert!(error.contains("ca.pem"), "{error}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(connector(Some(&path)).err().unwrap().to_string().contains("ca.pem"));
    }
}
