//! A tar written by hand (POSIX ustar, names up to 100 bytes), so that base images need no tool and no code under test.

/// Collects entries into an uncompressed tar in memory.
#[derive(Debug, Default)]
pub struct TarWriter {
    bytes: Vec<u8>,
    owner: (u32, u32),
}

const BLOCK: usize = 512;

impl TarWriter {
    /// Adds a folder.
    pub fn folder(&mut self, name: &str, mode: u32) -> &mut Self {
        self.header(&format!("{name}/"), mode, b'5', "", 0)
    }

    /// Adds a regular file.
    pub fn file(&mut self, name: &str, mode: u32, content: &[u8]) -> &mut Self {
        self.header(name, mode, b'0', "", content.len());
        self.bytes.extend_from_slice(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(BLOCK), 0);
        self
    }

    /// Adds a symbolic link.
    pub fn symlink(&mut self, name: &str, target: &str) -> &mut Self {
        self.header(name, 0o777, b'2', target, 0)
    }

    /// Adds a hard link to an entry that came before.
    pub fn hard_link(&mut self, name: &str, target: &str) -> &mut Self {
        self.header(name, 0o644, b'1', target, 0)
    }

    /// Who owns what is added from here on; root before.
    pub fn owner(&mut self, uid: u32, gid: u32) -> &mut Self {
        self.owner = (uid, gid);
        self
    }

    /// Ends the archive and returns its bytes.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 2 * BLOCK, 0);
        self.bytes
    }

    fn header(&mut self, name: &str, mode: u32, kind: u8, target: &str, size: usize) -> &mut Self {
        assert!(name.len() <= 100 && target.len() <= 100, "{name}: longer than a ustar name");
        let mut block = [0u8; BLOCK];
        let mut put = |offset: usize, text: &[u8]| block[offset..offset + text.len()].copy_from_slice(text);
        put(0, name.as_bytes());
        put(100, format!("{mode:07o}\0").as_bytes());
        put(108, format!("{:07o}\0", self.owner.0).as_bytes());
        put(116, format!("{:07o}\0", self.owner.1).as_bytes());
        put(124, format!("{size:011o}\0").as_bytes());
        // 2020-01-01: a fixed time keeps the base image's digest fixed.
        put(136, format!("{:011o}\0", 1_577_836_800).as_bytes());
        put(148, b"        ");
        put(156, &[kind]);
        put(157, target.as_bytes());
        put(257, b"ustar\x0000");
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.bytes.extend_from_slice(&block);
        self
    }
}
