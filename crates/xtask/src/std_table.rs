//! `cargo xtask std-table`: generates the embedded table of the standard library from a Go distribution.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;

use go_model::std_table::{RawItem, RawKind, RawMethod, RawPackage, RawSig, RawTy, encode};
use go_model::types::Basic;
use serde_json::Value;

/// Generates `crates/go-model/src/std_table.bin`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The go command of the distribution to describe.
    #[arg(long, default_value = "go")]
    go: PathBuf,
    /// A directory with the listings `go1*.txt`, which say since when an item exists; that of the distribution by default.
    #[arg(long)]
    api: Option<PathBuf>,
    /// Only compare with the file there is.
    #[arg(long)]
    check: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> crate::Outcome {
    let root = crate::root();
    let goroot = Command::new(&args.go)
        .args(["env", "GOROOT"])
        .env("GOTOOLCHAIN", "local")
        .output()
        .map_err(|e| format!("{}: {e}", args.go.display()))?;
    let goroot = String::from_utf8_lossy(&goroot.stdout).trim().to_owned();
    let mut command = Command::new(&args.go);
    command
        .args(["run", ".", "-go"])
        .arg(&args.go)
        .current_dir(root.join("tools/stdtable"))
        .env("GOTOOLCHAIN", "local")
        .env("GOROOT", goroot);
    if let Some(api) = &args.api {
        command.arg("-api").arg(api);
    }
    let output = command.output().map_err(|e| e.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let bytes = pack(&String::from_utf8_lossy(&output.stdout))?;
    let path = root.join("crates/go-model/src/std_table.bin");
    if std::fs::read(&path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    if args.check {
        return Err(format!("{} is not up to date", path.display()).into());
    }
    let temporary = path.with_extension("bin.tmp");
    std::fs::write(&temporary, &bytes)
        .and_then(|()| std::fs::rename(&temporary, &path))
        .map_err(|e| format!("{}: {e}", path.display()))?;
    eprintln!("{}: {} bytes", path.display(), bytes.len());
    Ok(())
}

/// Packs the output of `tools/stdtable`.
fn pack(text: &str) -> Result<Vec<u8>, String> {
    let mut lines = text.lines();
    let header: Value = serde_json::from_str(lines.next().unwrap_or_default())
        .map_err(|e| format!("header: {e}"))?;
    let platforms = list(&header["platforms"])
        .iter()
        .map(|p| string(p).to_owned())
        .collect();
    let mut packages = Vec::new();
    for line in lines {
        let package: Value = serde_json::from_str(line).map_err(|e| e.to_string())?;
        let mut packer = Packer::default();
        for item in list(&package["items"]) {
            packer.item(item)?;
        }
        packages.push((
            string(&package["path"]).to_owned(),
            string(&package["name"]).to_owned(),
            packer.raw,
        ));
    }
    encode(string(&header["go"]), platforms, &packages).map_err(|e| e.to_string())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn string(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn since(value: &Value) -> u8 {
    value["since"]
        .as_u64()
        .and_then(|n| u8::try_from(n).ok())
        .unwrap_or(0)
}

#[derive(Default)]
struct Packer {
    raw: RawPackage,
    names: HashMap<String, u32>,
    types: HashMap<RawTy, u32>,
}

impl Packer {
    fn name(&mut self, name: &str) -> u32 {
        if let Some(&i) = self.names.get(name) {
            return i;
        }
        let i = u32::try_from(self.raw.names.len()).unwrap_or(u32::MAX);
        self.raw.names.push(name.to_owned());
        self.names.insert(name.to_owned(), i);
        i
    }

    fn add(&mut self, ty: RawTy) -> u32 {
        if let Some(&i) = self.types.get(&ty) {
            return i;
        }
        let i = u32::try_from(self.raw.types.len()).unwrap_or(u32::MAX);
        self.raw.types.push(ty.clone());
        self.types.insert(ty, i);
        i
    }

    fn item(&mut self, item: &Value) -> Result<(), String> {
        let name = self.name(string(&item["name"]));
        let kind = match string(&item["kind"]) {
            "func" => RawKind::Func(self.ty(&item["type"])?),
            "var" => RawKind::Var(self.ty(&item["type"])?),
            "const" => {
                let value = item["value"].as_str().and_then(|v| v.parse().ok());
                RawKind::Const(self.ty(&item["type"])?, value)
            }
            "alias" => RawKind::Alias {
                type_params: self.type_params(&item["tparams"])?,
                ty: self.ty(&item["type"])?,
            },
            "type" => {
                let type_params = self.type_params(&item["tparams"])?;
                let underlying = self.ty(&item["underlying"])?;
                let mut methods = Vec::new();
                for method in list(&item["methods"]) {
                    methods.push(RawMethod {
                        name: self.name(string(&method["name"])),
                        pointer: method["pointer"].as_bool().unwrap_or(false),
                        since: since(method),
                        ty: self.ty(&method["type"])?,
                    });
                }
                RawKind::Type {
                    type_params,
                    underlying,
                    methods,
                }
            }
            other => return Err(format!("unknown kind of item: {other}")),
        };
        self.raw.items.push(RawItem {
            name,
            since: since(item),
            kind,
        });
        Ok(())
    }

    fn type_params(&mut self, value: &Value) -> Result<Vec<(u32, u32)>, String> {
        let mut out = Vec::new();
        for p in list(value) {
            out.push((self.name(string(&p["name"])), self.ty(&p["constraint"])?));
        }
        Ok(out)
    }

    fn tys(&mut self, value: &Value) -> Result<Vec<u32>, String> {
        list(value).iter().map(|t| self.ty(t)).collect()
    }

    fn ty(&mut self, value: &Value) -> Result<u32, String> {
        let parts = list(value);
        let arg = |i: usize| parts.get(i).unwrap_or(&Value::Null);
        let raw = match string(arg(0)) {
            "unknown" => RawTy::Unknown,
            "basic" => {
                let name = string(arg(1));
                let basic =
                    Basic::from_name(name).ok_or_else(|| format!("unknown basic type {name}"))?;
                RawTy::Basic(basic as u8)
            }
            "named" => RawTy::Named {
                package: self.name(string(arg(1))),
                name: self.name(string(arg(2))),
                args: self.tys(arg(3))?,
            },
            "pointer" => RawTy::Pointer(self.ty(arg(1))?),
            "slice" => RawTy::Slice(self.ty(arg(1))?),
            "array" => RawTy::Array(arg(1).as_u64().unwrap_or(0), self.ty(arg(2))?),
            "map" => RawTy::Map(self.ty(arg(1))?, self.ty(arg(2))?),
            "chan" => {
                let dir = match string(arg(1)) {
                    "both" => 0,
                    "send" => 1,
                    _ => 2,
                };
                RawTy::Chan(dir, self.ty(arg(2))?)
            }
            "func" => {
                let mut type_params = Vec::new();
                for p in list(arg(1)) {
                    type_params.push((self.name(string(&p[0])), self.ty(&p[1])?));
                }
                RawTy::Func(RawSig {
                    type_params,
                    params: self.tys(arg(2))?,
                    results: self.tys(arg(3))?,
                    variadic: arg(4).as_bool().unwrap_or(false),
                })
            }
            "param" => RawTy::Param(self.name(string(arg(1)))),
            "struct" => {
                let mut fields = Vec::new();
                for f in parts.iter().skip(1) {
                    let name = self.name(string(&f[0]));
                    fields.push((name, self.ty(&f[1])?, f[2].as_bool().unwrap_or(false)));
                }
                RawTy::Struct(fields)
            }
            "interface" => {
                let mut methods = Vec::new();
                for m in list(arg(1)) {
                    methods.push((self.name(string(&m[0])), self.ty(&m[1])?));
                }
                let (mut embeds, mut core, mut type_set) = (Vec::new(), None, false);
                for e in list(arg(2)) {
                    let parts = list(e);
                    match string(parts.first().unwrap_or(&Value::Null)) {
                        "union" => {
                            type_set = true;
                            if let [_, one] = parts {
                                core = Some(self.ty(one)?);
                            }
                        }
                        "named" | "interface" => embeds.push(self.ty(e)?),
                        _ => {
                            type_set = true;
                            core = Some(self.ty(e)?);
                        }
                    }
                }
                RawTy::Interface {
                    methods,
                    embeds,
                    core,
                    type_set,
                }
            }
            other => return Err(format!("unknown type {other:?}")),
        };
        Ok(self.add(raw))
    }
}
