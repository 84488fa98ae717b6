//! Packs that a loss of power has left as names without content.
//!
//! libgit2 syncs no pack that it stores, and has named it before we can. Nothing refers to what was in it yet, but git complains
//! of its index at each call. An index that is empty holds nothing, and is made from its pack in any case.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

/// Removes indexes of packs that hold nothing, and such packs with them. One that cannot be removed stays as it is.
pub(super) fn forget_empty_packs(objects: &Path) {
    for entry in fs::read_dir(objects.join("pack")).into_iter().flatten().flatten() {
        let index = entry.path();
        if index.extension().is_none_or(|extension| extension != "idx") || !is_empty(&index) {
            continue;
        }
        let _ = fs::remove_file(&index);
        for beside in ["pack", "rev"].map(|extension| index.with_extension(extension)) {
            if is_empty(&beside) {
                let _ = fs::remove_file(beside);
            }
        }
    }
}

/// Without bytes, or all of them zero: git never gives such a file its name.
fn is_empty(path: &Path) -> bool {
    let Ok(mut file) = File::open(path) else { return false };
    let mut block = [0; 4096];
    loop {
        match file.read(&mut block) {
            Ok(0) => return true,
            Ok(count) if block[..count].iter().all(|byte| *byte == 0) => {}
            Ok(_) | Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::repo::testing::TestRepo;

    /// A repository with a pack, and where that lies without its extension.
    fn packed() -> (TestRepo, std::path::PathBuf) {
        let test = TestRepo::with(&[("a", "1")]);
        test.git(&["repack", "-adq"]);
        let packs = fs::read_dir(test.root.join(".git/objects/pack")).unwrap();
        let mut packs = packs.map(|entry| entry.unwrap().path());
        let pack = packs.find(|path| path.extension().is_some_and(|it| it == "pack")).unwrap();
        (test, pack.with_extension(""))
    }

    fn copy(of: &Path, to: &Path, emptied: &[&str], with: &[u8]) {
        for extension in ["pack", "idx"] {
            let to = to.with_extension(extension);
            fs::copy(of.with_extension(extension), &to).unwrap();
            if emptied.contains(&extension) {
                fs::set_permissions(&to, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
                fs::write(to, with).unwrap();
            }
        }
    }

    #[rstest]
    fn names_without_content_go_at_the_next_start(#[values(0, 5000)] size: usize) {
        let (test, pack) = packed();
        let broken = pack.with_file_name(format!("pack-{}", "1".repeat(40)));
        copy(&pack, &broken, &["pack", "idx"], &vec![0; size]);
        assert!(!test.run(&["fsck", "--strict"]).status.success());
        test.open().preflight(None).unwrap();
        test.assert_sound();
        assert!(!broken.with_extension("pack").exists());
        assert!(pack.with_extension("idx").exists());
    }

    #[test]
    fn a_pack_with_content_stays_and_so_does_any_index_with_content() {
        let (test, pack) = packed();
        let other = pack.with_file_name(format!("pack-{}", "1".repeat(40)));
        copy(&pack, &other, &["idx"], &[0; 5000]);
        let damaged = pack.with_file_name(format!("pack-{}", "2".repeat(40)));
        copy(&pack, &damaged, &["idx"], b"\0\0\0\0 no index");
        test.open().preflight(None).unwrap();
        let stays = |pack: &Path| ["pack", "idx"].map(|extension| pack.with_extension(extension).exists());
        assert_eq!(
            [stays(&pack), stays(&other), stays(&damaged)],
            [[true, true], [true, false], [true, true]]
        );
    }
}
