//! Pools of connections, one for each way of making them: proxy, trusted authorities, our own certificate.

use std::sync::Mutex;

use fetch::{Certificates, Surroundings};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig};
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, RustlsConnector};
use ureq::{Agent, Proxy};

use crate::error::{Failure, Kind};
use crate::place::Origin;
use crate::wire::{PatientConnector, PatientResolver};
use crate::{Endpoint, Identity, Tls};

/// Made when they are first needed; nothing is read before.
#[derive(Debug)]
pub(crate) struct Agents {
    user_agent: String,
    surroundings: Surroundings,
    certificates: Certificates,
    known: Mutex<Vec<(Way, Agent)>>,
}

/// How connections are made.
#[derive(Debug, PartialEq, Eq)]
struct Way {
    proxy: Option<String>,
    tls: Option<Tls>,
}

impl Agents {
    pub(crate) fn new(surroundings: Surroundings, user_agent: String) -> Self {
        Self { user_agent, surroundings, certificates: Certificates::default(), known: Mutex::default() }
    }

    /// The pool for requests on behalf of an endpoint (which is at `own`) to some origin.
    ///
    /// What is configured for the endpoint is for its host: on another one, its certificate is looked at and ours is not
    /// shown. Authorities that are trusted are trusted there too: a company's object store is signed by its own.
    pub(crate) fn agent(&self, endpoint: &Endpoint, own: &Origin, to: &Origin) -> Result<Agent, Failure> {
        let proxy = if own == to {
            endpoint.proxy.as_deref()
        } else {
            fetch::proxy(&self.surroundings, to.is_https, &to.host, to.port)
        };
        let tls = to.is_https.then(|| Tls {
            is_unverified: endpoint.tls.is_unverified && own.host == to.host,
            authorities: endpoint.tls.authorities.clone(),
            identity: endpoint.tls.identity.clone().filter(|_| own == to),
        });
        let way = Way { proxy: proxy.map(str::to_owned), tls };
        let mut known = self.known.lock().expect("nothing panics while pools are listed");
        if let Some((_, agent)) = known.iter().find(|(other, _)| *other == way) {
            return Ok(agent.clone());
        }
        let agent = self.make(&way).map_err(|kind| Failure::new(to, kind))?;
        known.push((way, agent.clone()));
        Ok(agent)
    }

    fn make(&self, way: &Way) -> Result<Agent, Kind> {
        let proxy = way.proxy.as_deref().map(Proxy::new).transpose();
        let proxy = proxy.map_err(|_| Kind::Proxy("its URL is not valid".to_owned()))?;
        let mut config = Agent::config_builder()
            .proxy(proxy)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(64)
            .max_idle_connections_per_host(16)
            .user_agent(&self.user_agent)
            .accept_encoding("identity");
        if let Some(tls) = &way.tls {
            config = config.tls_config(self.tls(tls)?);
        }
        let connector =
            ().chain(ConnectProxyConnector::default()).chain(PatientConnector).chain(RustlsConnector::default());
        Ok(Agent::with_parts(config.build(), connector, PatientResolver))
    }

    fn tls(&self, tls: &Tls) -> Result<TlsConfig, Kind> {
        let builder = TlsConfig::builder().disable_verification(tls.is_unverified);
        let builder = match &tls.identity {
            Some(identity) => builder.client_cert(Some(client_certificate(identity)?)),
            None => builder,
        };
        if tls.is_unverified {
            return Ok(builder.build());
        }
        let system =
            self.certificates.trusted(&self.surroundings).map_err(|error| Kind::Settings(error.to_string()))?;
        if tls.authorities.is_empty() {
            return Ok(builder.root_certs(system).build());
        }
        let mut trusted = match system {
            RootCerts::Specific(system) => system.to_vec(),
            _ => Vec::new(),
        };
        for pem in &tls.authorities {
            let found = certificates(pem);
            if found.is_empty() {
                return Err(Kind::Settings(
                    "a file of authorities that is configured for it has no certificate".to_owned(),
                ));
            }
            trusted.extend(found);
        }
        Ok(builder.root_certs(RootCerts::new_with_certs(&trusted)).build())
    }
}

fn certificates(pem: &[u8]) -> Vec<Certificate<'static>> {
    let items = ureq::tls::parse_pem(pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    items.collect()
}

/// Our certificate with its key. The library beneath takes it for granted that they belong together.
fn client_certificate(identity: &Identity) -> Result<ClientCert, Kind> {
    let wrong =
        |what: &str| Kind::Settings(format!("our certificate that is configured for it cannot be used: {what}"));
    let chain = certificates(&identity.certificates);
    let key = PrivateKey::from_pem(identity.key.expose().as_bytes()).map_err(|_| wrong("its key cannot be read"))?;
    if chain.is_empty() {
        return Err(wrong("there is none in the file"));
    }
    let der = PrivateKeyDer::from_pem_slice(identity.key.expose().as_bytes());
    let der = der.map_err(|_| wrong("its key cannot be read"))?;
    let shown = chain.iter().map(|certificate| CertificateDer::from(certificate.der().to_vec())).collect();
    CertifiedKey::from_der(shown, der, &rustls::crypto::ring::default_provider())
        .map_err(|error| wrong(&error.to_string()))?;
    Ok(ClientCert::new_with_certs(&chain, key))
}
