//! What `--help` says about the flags.

use super::{flag::Flag, table};
use std::fmt::Write;

/// One line for each flag, in groups; those without effect by their names only.
#[must_use]
pub fn flags_help() -> String {
    let mut text =
        String::from("Flags of serving (-flag or --flag; environment: ETCD_FLAG, or ARCHIPEL_FLAG for links):\n");
    for (group, flags) in table::GROUPS {
        let outcome = write!(text, "\n{group}:\n");
        let (shown, quiet): (Vec<_>, Vec<_>) = flags.iter().partition(|flag| !flag.help.is_empty());
        let outcome = outcome.and_then(|()| shown.into_iter().try_for_each(|flag| line(&mut text, flag)));
        let names: Vec<_> = quiet.into_iter().map(|flag| flag.name).collect();
        let outcome =
            outcome.and_then(|()| if names.is_empty() { Ok(()) } else { writeln!(text, "  {}", names.join(" ")) });
        outcome.expect("invariant: writing to a string succeeds");
    }
    text
}

fn line(text: &mut String, flag: &Flag) -> std::fmt::Result {
    write!(text, "  --{} <{}>", flag.name, flag.kind)?;
    if !flag.default.is_empty() {
        write!(text, " [{}]", flag.default)?;
    }
    writeln!(text, "\n      {}", flag.help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_is_named() {
        let help = flags_help();
        for flag in table::flags() {
            assert!(help.contains(flag.name), "{}", flag.name);
        }
    }
}
