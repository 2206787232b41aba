//! The vector instruction set kernels are chosen by, detected once per process.

use std::sync::OnceLock;

/// A vector instruction set for which kernels exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isa {
    /// AVX-512 F, BW, DQ and VL: 512-bit registers, masked loads and stores.
    Avx512,
    /// AVX2 and FMA: 256-bit registers.
    Avx2,
    /// What the compiler makes of plain arrays for the target's baseline: SSE2 on x86-64, NEON on AArch64.
    Portable,
}

/// The environment variable that asks for an instruction set: `avx512`, `avx2` or `portable`.
const VARIABLE: &str = "WARPLOOM_ISA";

impl Isa {
    /// Every instruction set, widest first.
    pub const ALL: [Isa; 3] = [Isa::Avx512, Isa::Avx2, Isa::Portable];

    /// The name `WARPLOOM_ISA` knows it by.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Avx512 => "avx512",
            Isa::Avx2 => "avx2",
            Isa::Portable => "portable",
        }
    }

    /// Whether this machine can run it.
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                    && Isa::Avx2.is_available()
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx512 | Isa::Avx2 => false,
            Isa::Portable => true,
        }
    }

    /// The instruction sets this machine can run, widest first.
    pub fn available() -> impl Iterator<Item = Isa> {
        Isa::ALL.into_iter().filter(|isa| isa.is_available())
    }

    /// The set this process computes with: what `WARPLOOM_ISA` asks for, or the widest the machine has. Whoever lets people
    /// set the variable looks at [`Isa::asked`] first: what cannot be had is passed over here.
    pub fn current() -> Isa {
        static CURRENT: OnceLock<Isa> = OnceLock::new();
        *CURRENT.get_or_init(|| {
            let widest = || Isa::available().next().unwrap_or(Isa::Portable);
            Isa::asked().ok().flatten().unwrap_or_else(widest)
        })
    }

    /// The set that `WARPLOOM_ISA` asks for, if it does.
    ///
    /// # Errors
    /// There is no set of that name, or the machine lacks it.
    pub fn asked() -> Result<Option<Isa>, String> {
        match std::env::var_os(VARIABLE) {
            Some(name) if !name.is_empty() => Isa::by_name(&name.to_string_lossy()).map(Some),
            _ => Ok(None),
        }
    }

    /// A set that `WARPLOOM_ISA` may ask for.
    ///
    /// # Errors
    /// As of [`Isa::asked`].
    pub fn by_name(name: &str) -> Result<Isa, String> {
        match Isa::ALL.into_iter().find(|isa| isa.name() == name) {
            Some(isa) if isa.is_available() => Ok(isa),
            found => {
                let here: Vec<&str> = Isa::available().map(Isa::name).collect();
                let why = if found.is_some() { ", which this machine lacks" } else { "" };
                Err(format!("{VARIABLE} is {name:?}{why}; it takes {} here", here.join(", ")))
            }
        }
    }
}

/// The static of this name in the module of an instruction set: `avx512`, `avx2` or `portable`.
macro_rules! table {
    ($isa:expr, $table:ident) => {
        match $isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => &avx512::$table,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => &avx2::$table,
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx512 | Isa::Avx2 => &portable::$table,
            Isa::Portable => &portable::$table,
        }
    };
}
pub(crate) use table;
