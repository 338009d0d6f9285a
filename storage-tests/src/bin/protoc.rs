//! What a build script that calls `protoc` is given instead: the same command line, answered by protox. So a foreign client
//! builds from its published crate on a machine that has Rust and Go, and no more.

use prost::Message;
use std::{env, error::Error, fs, path::PathBuf};

/// The version that build scripts look for.
const VERSION: &str = "libprotoc 31.0";

fn main() -> Result<(), Box<dyn Error>> {
    let (mut includes, mut files, mut output) = (Vec::new(), Vec::new(), None);
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--version" => {
                println!("{VERSION}");
                return Ok(());
            }
            "-o" => output = words.next().map(PathBuf::from),
            "-I" => includes.extend(words.next()),
            _ if word.starts_with("--") => {}
            _ => match word.strip_prefix("-I") {
                Some(include) => includes.push(include.to_owned()),
                None => files.push(word),
            },
        }
    }
    let output = output.ok_or("no -o FILE: only descriptor sets are written")?;
    let mut compiler = protox::Compiler::new(includes)?;
    compiler.include_imports(true).include_source_info(true).open_files(files)?;
    fs::write(output, compiler.file_descriptor_set().encode_to_vec())?;
    Ok(())
}
