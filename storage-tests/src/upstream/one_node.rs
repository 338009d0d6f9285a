//! etcd's tests with every cluster of three made one of one. No assertion is changed: two sizes are.

use super::go::{self, GoError, at};
use std::{fs, path::Path, path::PathBuf};

/// The published module.
const MODULE: &str = "go.etcd.io/etcd/tests/v3";
/// What of it is needed.
const FOLDERS: [&str; 3] = ["common", "fixtures", "framework"];
/// File, the text, what it becomes, how often.
const CHANGES: [(&str, &str, &str, usize); 2] = [
    ("common/e2e_test.go", "ClusterSize: 3, PeerTLS", "ClusterSize: 1, PeerTLS", 2),
    ("framework/config/cluster.go", "ClusterSize:         3,", "ClusterSize:         1,", 1),
];

/// Copies the module into `folder` and changes it; returns a go.mod that points there, for `-modfile`.
pub(super) fn generate(module: &Path, folder: &Path) -> Result<PathBuf, GoError> {
    let published = go::run(go::go(module).args(["list", "-m", "-f", "{{.Dir}}", MODULE]))?;
    let (published, copy) = (Path::new(published.trim()), folder.join("tests"));
    if copy.exists() {
        fs::remove_dir_all(&copy).map_err(at(&copy))?;
    }
    for name in FOLDERS {
        copy_folder(&published.join(name), &copy.join(name))?;
    }
    for name in ["go.mod", "go.sum"] {
        copy_file(&published.join(name), &copy.join(name))?;
    }
    for (name, old, new, times) in CHANGES {
        let path = copy.join(name);
        let text = fs::read_to_string(&path).map_err(at(&path))?;
        if text.matches(old).count() != times {
            return Err(GoError::Module(format!("{name} has not {times} times `{old}`")));
        }
        fs::write(&path, text.replace(old, new)).map_err(at(&path))?;
    }
    let modfile = folder.join("go.mod");
    copy_file(&module.join("go.mod"), &modfile)?;
    copy_file(&module.join("go.sum"), &folder.join("go.sum"))?;
    let replace = format!("-replace={MODULE}={}", copy.display());
    go::run(go::go(module).args(["mod", "edit", &replace]).arg(&modfile))?;
    Ok(modfile)
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), GoError> {
    fs::create_dir_all(to).map_err(at(to))?;
    for entry in fs::read_dir(from).map_err(at(from))? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).map_err(at(from))?;
        match path.is_dir() {
            true => copy_folder(&path, &to.join(name))?,
            false => copy_file(&path, &to.join(name))?,
        }
    }
    Ok(())
}

/// Copies the content alone: files in the cache of modules cannot be written.
fn copy_file(from: &Path, to: &Path) -> Result<(), GoError> {
    let content = fs::read(from).map_err(at(from))?;
    fs::write(to, content).map_err(at(to))
}
