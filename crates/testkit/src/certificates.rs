//! An authority of a test's own and what it signs, made by the `openssl` program.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::peers::find;

/// Signs certificates; nobody trusts it who was not told to.
#[derive(Debug)]
pub struct TestAuthority {
    openssl: PathBuf,
    folder: tempfile::TempDir,
}

/// A certificate and its key, PEM.
#[derive(Debug, Clone)]
pub struct Certified {
    /// The certificate.
    pub certificate: Vec<u8>,
    /// Its key, PKCS #8.
    pub key: Vec<u8>,
}

impl TestAuthority {
    /// A new one; `None` if `openssl` is not installed.
    ///
    /// # Panics
    /// If `openssl` fails.
    #[must_use]
    pub fn new() -> Option<Self> {
        let openssl = find("openssl")?;
        let folder = tempfile::Builder::new().prefix("onggi-ca-").tempdir().expect("a temporary folder can be made");
        let authority = Self { openssl, folder };
        authority.key("ca.key");
        let mut arguments =
            vec!["req", "-x509", "-key", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=test authority"];
        arguments.extend(["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"]);
        authority.run(&arguments);
        Some(authority)
    }

    /// Its own certificate, PEM.
    #[must_use]
    pub fn certificate(&self) -> Vec<u8> {
        self.read("ca.crt")
    }

    /// A certificate for a server of these names: `DNS:localhost`, `IP:127.0.0.1`.
    #[must_use]
    pub fn server(&self, names: &[&str]) -> Certified {
        self.sign(&format!("subjectAltName={}\nextendedKeyUsage=serverAuth\n", names.join(",")), "2")
    }

    /// A certificate for a client.
    #[must_use]
    pub fn client(&self) -> Certified {
        self.sign("extendedKeyUsage=clientAuth\n", "2")
    }

    fn sign(&self, extensions: &str, days: &str) -> Certified {
        self.key("one.key");
        self.run(&["req", "-new", "-key", "one.key", "-out", "one.csr", "-subj", "/CN=test"]);
        fs::write(self.folder.path().join("one.ext"), format!("basicConstraints=critical,CA:FALSE\n{extensions}"))
            .expect("the folder is writable");
        let mut arguments =
            vec!["x509", "-req", "-in", "one.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"];
        arguments.extend(["-days", days, "-out", "one.crt", "-extfile", "one.ext"]);
        self.run(&arguments);
        Certified { certificate: self.read("one.crt"), key: self.read("one.key") }
    }

    fn key(&self, name: &str) {
        self.run(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", name]);
    }

    fn run(&self, arguments: &[&str]) {
        let output = Command::new(&self.openssl).args(arguments).current_dir(self.folder.path()).output();
        let output = output.expect("openssl was found");
        assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.path().join(name)).expect("openssl has made it")
    }
}
