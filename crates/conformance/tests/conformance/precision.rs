//! Random programs compiled in f16 and bf16 against the interpreter of what the compiler's passes made of them, fused
//! against unfused; miscompiles of rounded programs that this must find.

use warploom_compile::Precision;
use warploom_conformance::generate::{generate, generate_of};
use warploom_conformance::precision::{HALVES, narrowed, options, products};
use warploom_conformance::run::{compare, compiled, run, run_program};
use warploom_cpu::Cpu;
use warploom_device::{Instruction, Program, Register, Step};
use warploom_graph::DType;
use warploom_graph::scalar::ScalarOp;

fn check(seed: u64, cpu: &Cpu, precision: Precision) -> Result<usize, String> {
    let (case, _) = generate(seed);
    let (narrow, program) = narrowed(&case, cpu, precision)?;
    let fused = run_program(&narrow, cpu, program)?;
    compare(&narrow, &fused)?;
    let unfused = run(&case, cpu, options(precision, false))?;
    if !fused.same_bits(&unfused, &case) {
        return Err("fused and unfused differ".into());
    }
    Ok(products(&narrow.recording.graph, precision))
}

#[test]
fn random_programs_agree_with_the_interpreter() {
    let cpu = Cpu::new(Some(2));
    let programs = std::env::var("WARPLOOM_PROGRAMS").ok().and_then(|n| n.parse().ok()).unwrap_or(600);
    let mut wrong = Vec::new();
    for precision in HALVES {
        let mut rounded = 0;
        for seed in 0..programs {
            match check(seed, &cpu, precision) {
                Ok(products) => rounded += u64::from(products > 0),
                Err(error) => wrong.push(format!("seed {seed} in {precision}: {error}")),
            }
        }
        assert!(rounded * 10 >= programs, "{rounded} of {programs} programs have rounded factors");
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong[..wrong.len().min(30)].join("\n"));
}

/// Programs of f32 without a product are those of f32, and all are for a device without the dtype refused by name.
#[test]
fn nothing_else_changes() {
    let cpu = Cpu::new(Some(1));
    for seed in 0..300 {
        let (case, _) = generate_of(seed, &[DType::F32, DType::I32, DType::Bool, DType::U32]);
        let text = |precision| {
            let made = compiled(&case, &cpu, options(precision, true)).expect("it compiles");
            (products(&made.graph, precision), made.program.to_string())
        };
        let (_, plain) = text(Precision::F32);
        for precision in HALVES {
            let (products, narrow) = text(precision);
            assert_eq!(products == 0, narrow == plain, "seed {seed} in {precision}");
        }
    }
}

/// What a compiler could do wrong with rounded programs.
const PLANTED: [(&str, fn(&mut Step) -> bool); 3] = [
    ("a rounding lost", lose_rounding),
    ("another narrow dtype", exchange_rounding),
    ("a sum rounded that is wanted as it is", round_sum),
];

/// Breaks every step where it applies; says whether there was one.
fn change(program: &mut Program, one: fn(&mut Step) -> bool) -> bool {
    fn steps(list: &mut [Step], one: fn(&mut Step) -> bool) -> bool {
        list.iter_mut().fold(false, |any, step| match step {
            Step::Loop(body) => steps(&mut body.body, one) | any,
            step => one(step) | any,
        })
    }
    steps(&mut program.steps, one)
}

/// Changes the dtypes of roundings that other instructions read, whose loss no store makes good.
fn roundings(step: &mut Step, become_dtype: fn(DType) -> DType) -> bool {
    let kernel = match step {
        Step::Kernel(kernel) => kernel,
        Step::Contraction(product) => &mut product.epilogue,
        Step::Convolution(product) => &mut product.epilogue,
        Step::Scatter(_) | Step::Copy { .. } | Step::Loop(_) | Step::Claimed { .. } => return false,
    };
    let read: Vec<Register> = kernel
        .instructions()
        .flat_map(|(_, instruction)| match instruction {
            Instruction::Apply { operands, .. } => operands.to_vec(),
            _ => Vec::new(),
        })
        .collect();
    let mut any = false;
    for (register, instruction) in (0..).zip(&mut kernel.body) {
        if let Instruction::Apply { op: ScalarOp::Cast, dtype, .. } = instruction
            && matches!(dtype, DType::F16 | DType::BF16)
            && read.contains(&register)
        {
            *dtype = become_dtype(*dtype);
            any = true;
        }
    }
    any
}

fn lose_rounding(step: &mut Step) -> bool {
    roundings(step, |_| DType::F32)
}

fn exchange_rounding(step: &mut Step) -> bool {
    roundings(step, |dtype| if dtype == DType::F16 { DType::BF16 } else { DType::F16 })
}

fn round_sum(step: &mut Step) -> bool {
    let (Step::Contraction(warploom_device::Contraction { dtype, epilogue, .. })
    | Step::Convolution(warploom_device::Convolution { dtype, epilogue, .. })) = step
    else {
        return false;
    };
    let [Instruction::Product(DType::F32)] = epilogue.body[..] else { return false };
    let narrow = matches!(dtype, DType::F16 | DType::BF16);
    if narrow {
        epilogue.body.push(Instruction::Apply { op: ScalarOp::Cast, dtype: *dtype, operands: [0; 3] });
        epilogue.stores.iter_mut().for_each(|store| store.register = 1);
    }
    narrow && epilogue.stores.iter().any(|store| store.dtype == DType::F32)
}

#[test]
fn planted_miscompiles_are_found() {
    let cpu = Cpu::new(Some(1));
    for (name, apply) in PLANTED {
        let found = (0..4000).any(|seed| {
            let (case, _) = generate(seed);
            HALVES.into_iter().any(|precision| {
                let Ok((narrow, mut program)) = narrowed(&case, &cpu, precision) else { return false };
                change(&mut program, apply)
                    && run_program(&narrow, &cpu, program).is_ok_and(|o| compare(&narrow, &o).is_err())
            })
        });
        assert!(found, "{name} is not found");
    }
}
