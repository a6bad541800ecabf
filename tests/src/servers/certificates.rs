//! Certificates of one's own: an authority, a server at the loopback address, and clients. In PEM files of a folder. Must
//! not know who uses them.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose,
};

/// An authority, and the folder with what it has signed.
pub struct Certificates {
    authority: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Certificates({})", self.folder.display())
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params =
        CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()]).expect("valid names");
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

impl Certificates {
    /// A new authority; its certificate is `ca.pem` in the folder.
    ///
    /// # Panics
    /// When the folder cannot be written.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        let mut params = named("an authority for tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(params, key).expect("it signs itself");
        std::fs::write(folder.join("ca.pem"), authority.pem()).expect("a file");
        Self { authority, folder: folder.to_owned() }
    }

    /// The authority's certificate.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Signs a certificate of `name` for server and client, at this machine: the files of its certificate and its key.
    ///
    /// # Panics
    /// When the folder cannot be written.
    #[must_use]
    pub fn sign(&self, name: &str) -> (PathBuf, PathBuf) {
        let mut params = named(name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, &self.authority).expect("it is signed");
        let file = |what: &str, text: String| {
            let path = self.folder.join(format!("{name}.{what}.pem"));
            std::fs::write(&path, text).expect("a file");
            path
        };
        (file("certificate", signed.pem()), file("key", key.serialize_pem()))
    }
}
