//! A store of computed results in the user's cache directory.
//!
//! Everything in it can be computed again, so nothing here fails: what cannot be read is not there, what cannot be written is not
//! kept. An entry is one file, written beside its place and renamed, so that another process sees it whole or not at all. Each holds its
//! own key and a checksum; one that is cut short, overwritten or of another key is removed and counts as missing.
//!
//! Architecture invariant: this is the only place to which stopleak writes on its own account. It writes nothing but results of the
//! analysis, below one folder that [`DiskCache::clean`] removes.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use xxhash_rust::xxh3::xxh3_128;

/// Changes with the layout of the files.
const LAYOUT: u32 = 1;
/// All our folders in the cache directory begin with this; the rest is the layout.
const PREFIX: &str = "stopleak-";
const MAGIC: &[u8; 8] = b"stopleak";
/// Magic and checksum.
const HEADER: usize = 8 + 16;
/// Larger files are not ours.
const MAX_ENTRY: u64 = 256 << 20;
/// How much is kept unless told otherwise.
pub const MAX_BYTES: u64 = 512 << 20;
/// An entry that was used is marked so at most this often.
const TOUCH: Duration = Duration::from_secs(3600);
/// A temporary file of this age was left behind by a process that died.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// A folder of results. Making one touches nothing.
#[derive(Debug, Clone)]
pub struct DiskCache {
    root: PathBuf,
    max_bytes: u64,
}

/// What kind of entry; each kind has its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Summaries of a package of the module cache.
    Summaries,
    /// Findings of a run.
    Findings,
}

impl Kind {
    fn folder(self) -> &'static str {
        match self {
            Self::Summaries => "summaries",
            Self::Findings => "findings",
        }
    }
}

impl DiskCache {
    /// The cache in this directory.
    pub fn new(root: PathBuf, max_bytes: u64) -> Self {
        Self { root, max_bytes }
    }

    /// Where the cache is: `STOPLEAK_CACHE_DIR`, else `stopleak` in the user's directory for caches (`XDG_CACHE_HOME`, `~/.cache`,
    /// `~/Library/Caches`, `%LocalAppData%`). `None` if there is no such directory.
    pub fn directory() -> Option<PathBuf> {
        let var = |name| {
            std::env::var_os(name)
                .filter(|v| !v.is_empty())
                .map(PathBuf::from)
        };
        if let Some(dir) = var("STOPLEAK_CACHE_DIR") {
            return std::path::absolute(dir).ok();
        }
        let home = || var("HOME");
        let base = if cfg!(windows) {
            var("LOCALAPPDATA")
        } else if cfg!(target_os = "macos") {
            home().map(|home| home.join("Library/Caches"))
        } else {
            // The specification of base directories wants relative paths ignored.
            var("XDG_CACHE_HOME")
                .filter(|dir| dir.is_absolute())
                .or_else(|| home().map(|home| home.join(".cache")))
        };
        Some(base?.join("stopleak"))
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn folder(&self) -> PathBuf {
        self.root.join(format!("{PREFIX}{LAYOUT}"))
    }

    fn path(&self, kind: Kind, key: &str) -> PathBuf {
        let name = format!("{:032x}", xxh3_128(key.as_bytes()));
        self.folder()
            .join(kind.folder())
            .join(&name[..2])
            .join(&name[2..])
    }

    /// What was put there under this key.
    pub fn get(&self, kind: Kind, key: &str) -> Option<Vec<u8>> {
        let path = self.path(kind, key);
        let mut file = File::open(&path).ok()?;
        let meta = file.metadata().ok()?;
        let mut bytes = Vec::new();
        let found = if meta.len() <= MAX_ENTRY && file.read_to_end(&mut bytes).is_ok() {
            open(&bytes, key)
        } else {
            None
        };
        let Some(start) = found else {
            tracing::warn!(path = %path.display(), "a file of the cache is damaged and is removed");
            let _ = fs::remove_file(&path);
            return None;
        };
        bytes.drain(..start);
        mark_used(&path, &meta);
        Some(bytes)
    }

    /// Puts something there, in place of what was there. Whether it is kept is nobody's concern.
    pub fn put(&self, kind: Kind, key: &str, payload: &[u8]) {
        let path = self.path(kind, key);
        if let Err(error) = self.try_put(&path, key, payload) {
            tracing::debug!(path = %path.display(), %error, "cannot write to the cache");
        }
    }

    fn try_put(&self, path: &Path, key: &str, payload: &[u8]) -> io::Result<()> {
        let len = HEADER + 4 + key.len() + payload.len();
        if len as u64 > MAX_ENTRY.min(self.max_bytes) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let folder = path.parent().unwrap_or(&self.root);
        if !folder.is_dir() {
            self.make(folder)?;
        }
        let mut body = Vec::with_capacity(4 + key.len() + payload.len());
        body.extend_from_slice(&(key.len() as u32).to_le_bytes());
        body.extend_from_slice(key.as_bytes());
        body.extend_from_slice(payload);
        let mut temporary = tempfile::Builder::new()
            .prefix(".new-")
            .tempfile_in(folder)?;
        temporary.write_all(MAGIC)?;
        temporary.write_all(&xxh3_128(&body).to_le_bytes())?;
        temporary.write_all(&body)?;
        temporary.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Makes a folder, for the user only, and marks the cache for programs that make backups.
    fn make(&self, folder: &Path) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
        let tag = self.folder().join("CACHEDIR.TAG");
        if !tag.exists() {
            fs::write(
                tag,
                "Signature: 8a477f597d28d172789f06886806bc55\n# Results of stopleak, see https://bford.info/cachedir/\n",
            )?;
        }
        Ok(())
    }

    /// Removes what was not used for longest until the cache is well below its size, and what processes that died left behind.
    pub fn trim(&self) {
        let mut entries = Vec::new();
        let now = SystemTime::now();
        for kind in [Kind::Summaries, Kind::Findings] {
            let folder = self.folder().join(kind.folder());
            for path in below(&folder).into_iter().flat_map(|sub| below(&sub)) {
                let Ok(meta) = fs::metadata(&path) else {
                    continue;
                };
                let used = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                let is_new =
                    (path.file_name()).is_some_and(|n| n.as_encoded_bytes().starts_with(b".new-"));
                if is_new {
                    if now.duration_since(used).is_ok_and(|age| age > ABANDONED) {
                        let _ = fs::remove_file(&path);
                    }
                    continue;
                }
                entries.push((used, meta.len(), path));
            }
        }
        let mut total: u64 = entries.iter().map(|(_, len, _)| len).sum();
        if total <= self.max_bytes {
            return;
        }
        entries.sort();
        for (_, len, path) in entries {
            if total <= self.max_bytes / 10 * 8 {
                break;
            }
            if fs::remove_file(&path).is_ok() {
                total -= len;
            }
        }
    }

    /// Removes everything that this program ever put there, and nothing else. Says how many bytes that were.
    ///
    /// # Errors
    /// Something could not be removed.
    pub fn clean(&self) -> io::Result<u64> {
        let mut bytes = 0;
        for folder in below(&self.root) {
            let ours = folder
                .file_name()
                .and_then(|n| n.to_str())
                .is_some_and(|n| {
                    n.strip_prefix(PREFIX).is_some_and(|layout| {
                        !layout.is_empty() && layout.bytes().all(|b| b.is_ascii_digit())
                    })
                });
            if !ours || !folder.is_dir() {
                continue;
            }
            bytes += size(&folder);
            fs::remove_dir_all(&folder)?;
        }
        // Only if it is empty now.
        let _ = fs::remove_dir(&self.root);
        Ok(bytes)
    }
}

/// Where the payload begins in a file of the cache that is whole and holds this key.
fn open(bytes: &[u8], key: &str) -> Option<usize> {
    let (magic, rest) = bytes.split_at_checked(MAGIC.len())?;
    let (sum, body) = rest.split_at_checked(16)?;
    if magic != MAGIC || xxh3_128(body).to_le_bytes() != sum {
        return None;
    }
    let len = usize::try_from(u32::from_le_bytes(body.get(..4)?.try_into().ok()?)).ok()?;
    (body.get(4..4 + len)? == key.as_bytes()).then_some(HEADER + 4 + len)
}

/// The time of a file's last change says when it was used last.
fn mark_used(path: &Path, meta: &fs::Metadata) {
    let now = SystemTime::now();
    let recent = (meta.modified().ok())
        .and_then(|then| now.duration_since(then).ok())
        .is_some_and(|age| age < TOUCH);
    if !recent && let Ok(file) = File::options().write(true).open(path) {
        let _ = file.set_modified(now);
    }
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries.flatten().map(|entry| entry.path()).collect()
}

fn size(folder: &Path) -> u64 {
    let mut bytes = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(folder) else {
            continue;
        };
        for entry in entries.flatten() {
            match entry.metadata() {
                Ok(meta) if meta.is_dir() => folders.push(entry.path()),
                Ok(meta) => bytes += meta.len(),
                Err(_) => {}
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn cache(max: u64) -> (tempfile::TempDir, DiskCache) {
        let dir = tempfile::tempdir().unwrap();
        let cache = DiskCache::new(dir.path().join("cache"), max);
        (dir, cache)
    }

    const K: Kind = Kind::Summaries;

    #[test]
    fn what_is_put_is_got() {
        let (_dir, cache) = cache(MAX_BYTES);
        assert_eq!(cache.get(K, "a"), None);
        assert!(!cache.root().exists(), "asking writes nothing");
        cache.put(K, "a", b"one");
        cache.put(K, "b", b"");
        assert_eq!(cache.get(K, "a").unwrap(), b"one");
        assert_eq!(cache.get(K, "b").unwrap(), b"");
        assert_eq!(cache.get(Kind::Findings, "a"), None);
        cache.put(K, "a", b"two");
        assert_eq!(cache.get(K, "a").unwrap(), b"two");
    }

    #[test]
    fn damage_is_seen_and_removed() {
        let (_dir, cache) = cache(MAX_BYTES);
        let path = cache.path(K, "key");
        cache.put(K, "key", b"some payload");
        let whole = fs::read(&path).unwrap();
        for len in 0..whole.len() {
            fs::write(&path, &whole[..len]).unwrap();
            assert_eq!(cache.get(K, "key"), None, "cut at {len}");
            assert!(!path.exists());
        }
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x40;
            fs::write(&path, &bytes).unwrap();
            assert_eq!(cache.get(K, "key"), None, "flipped at {at}");
        }
        // The file of another key, in the wrong place.
        cache.put(K, "other", b"x");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::rename(cache.path(K, "other"), &path).unwrap();
        assert_eq!(cache.get(K, "key"), None);
        fs::write(&path, &whole).unwrap();
        assert_eq!(cache.get(K, "key").unwrap(), b"some payload");
    }

    #[test]
    fn the_least_recently_used_go_first() {
        let (_dir, cache) = cache(10_000);
        let old = SystemTime::now() - Duration::from_secs(100_000);
        for n in 0..20u32 {
            let key = n.to_string();
            cache.put(K, &key, &[0; 1000]);
            File::options()
                .write(true)
                .open(cache.path(K, &key))
                .unwrap()
                .set_modified(old + Duration::from_secs(u64::from(n)))
                .unwrap();
        }
        // Using it makes it young.
        assert!(cache.get(K, "0").is_some());
        cache.trim();
        let left: Vec<u32> = (0..20)
            .filter(|n| cache.path(K, &n.to_string()).exists())
            .collect();
        assert_eq!(left, [0, 14, 15, 16, 17, 18, 19]);
        let before = left.len();
        cache.trim();
        let after = (0..20).filter(|n: &u32| cache.path(K, &n.to_string()).exists());
        assert_eq!(after.count(), before);
    }

    #[test]
    fn what_is_larger_than_the_cache_is_not_kept() {
        let (_dir, cache) = cache(1000);
        cache.put(K, "small", &[1; 900]);
        cache.put(K, "large", &[2; 1000]);
        assert_eq!(cache.get(K, "large"), None);
        assert_eq!(cache.get(K, "small").unwrap(), [1; 900]);
    }

    #[test]
    fn what_others_left_behind_goes_away() {
        let (_dir, cache) = cache(MAX_BYTES);
        cache.put(K, "a", b"one");
        let folder = cache.path(K, "a").parent().unwrap().to_owned();
        let (old, new) = (folder.join(".new-old"), folder.join(".new-new"));
        for path in [&old, &new] {
            fs::write(path, "half of").unwrap();
        }
        File::options()
            .write(true)
            .open(&old)
            .and_then(|file| file.set_modified(SystemTime::now() - 2 * ABANDONED))
            .unwrap();
        cache.trim();
        assert!(!old.exists() && new.exists());
        assert_eq!(cache.get(K, "a").unwrap(), b"one");
    }

    #[test]
    fn many_writers_and_readers() {
        let (_dir, cache) = cache(200_000);
        std::thread::scope(|scope| {
            for thread in 0..8u8 {
                let cache = &cache;
                scope.spawn(move || {
                    for round in 0..60u32 {
                        let key = (round % 7).to_string();
                        cache.put(K, &key, &vec![thread; 3000 + round as usize]);
                        if let Some(got) = cache.get(K, &key) {
                            assert!(got.len() >= 3000 && got.iter().all(|b| *b == got[0]));
                        }
                        if round % 20 == 0 {
                            cache.trim();
                        }
                    }
                });
            }
        });
        assert!((0..7).all(|n: u32| cache.get(K, &n.to_string()).is_some()));
        let left = below(&cache.folder().join(K.folder()))
            .iter()
            .flat_map(|f| below(f))
            .count();
        assert_eq!(left, 7, "no temporary file is left");
    }

    #[test]
    fn cleaning_removes_what_is_ours() {
        let (dir, cache) = cache(MAX_BYTES);
        cache.put(K, "a", b"one");
        let other = cache.root().join("stopleak-notes");
        fs::create_dir_all(&other).unwrap();
        assert!(cache.clean().unwrap() > 3);
        assert!(other.exists() && !cache.folder().exists());
        fs::remove_dir(other).unwrap();
        cache.clean().unwrap();
        assert!(!cache.root().exists());
        assert_eq!(cache.clean().unwrap(), 0);
        assert!(dir.path().exists());
    }

    #[test]
    fn a_place_where_nothing_can_be_written() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let cache = DiskCache::new(file.join("cache"), MAX_BYTES);
        cache.put(K, "a", b"one");
        assert_eq!(cache.get(K, "a"), None);
        cache.trim();
    }
}
