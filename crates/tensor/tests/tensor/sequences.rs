//! Random sequences of recording, assigning, looking, dropping and running, held against a model that does everything at
//! once: laziness must not be visible in any value.

use crate::common::cpu;
use warploom_tensor::{DType, InputSpec, Recorded, Tensor, Variable};

const VARIABLES: usize = 3;
const VALUES: usize = 6;
const LIMIT: f32 = 1000.0;

/// A small generator (xorshift, Marsaglia 2003), so that a failure can be repeated by its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % sides
    }
}

type Numbers = [f32; 2];

/// A lazy value beside what it is.
type Pair = (Tensor, Numbers);

fn each(a: Numbers, b: Numbers, f: impl Fn(f32, f32) -> f32) -> Numbers {
    // Whole numbers within bounds, so that every step is exact.
    [f(a[0], b[0]).clamp(-LIMIT, LIMIT), f(a[1], b[1]).clamp(-LIMIT, LIMIT)]
}

fn look(tensor: &Tensor, want: Numbers, seed: u64) {
    assert_eq!(tensor.to_vec::<f32>().unwrap(), want, "seed {seed}");
}

struct World {
    variables: Vec<(Variable, Numbers)>,
    values: Vec<Pair>,
    /// Adds its input to the first variable and returns the sum of the first two.
    step: Recorded,
}

impl World {
    fn new(dice: &mut Dice) -> World {
        let device = warploom_tensor::Device::current().unwrap();
        let variables: Vec<(Variable, Numbers)> = (0..VARIABLES)
            .map(|i| {
                let numbers = [i as f32, dice.roll(10) as f32];
                let tensor = Tensor::from(numbers);
                // Some first values are lazy, some are here already.
                (Variable::new(if i == 0 { tensor } else { tensor + 0.0 }), numbers)
            })
            .collect();
        let values = vec![(Tensor::from([1.0f32, 2.0]), [1.0, 2.0])];
        let step = device
            .try_record(&[InputSpec::new(DType::F32, &[2])], |x| {
                let (a, b) = (&variables[0].0, &variables[1].0);
                a.assign(&(a + &x[0]).clamp(-LIMIT as f64, LIMIT as f64))?;
                Ok(vec![(a + b).clamp(-LIMIT as f64, LIMIT as f64)])
            })
            .unwrap();
        World { variables, values, step }
    }

    /// Some value: a kept one or a variable's current version.
    fn any(&self, dice: &mut Dice) -> Pair {
        if dice.roll(2) == 0 {
            let (variable, numbers) = &self.variables[dice.roll(VARIABLES)];
            (variable.value(), *numbers)
        } else {
            self.values[dice.roll(self.values.len())].clone()
        }
    }

    fn keep(&mut self, dice: &mut Dice, pair: Pair) {
        if self.values.len() == VALUES {
            let at = dice.roll(VALUES);
            self.values[at] = pair;
        } else {
            self.values.push(pair);
        }
    }

    fn act(&mut self, dice: &mut Dice, seed: u64) {
        match dice.roll(12) {
            0..=3 => {
                let ((a, x), (b, y)) = (self.any(dice), self.any(dice));
                let limit = |t: Tensor| t.clamp(-LIMIT as f64, LIMIT as f64);
                let pair = match dice.roll(3) {
                    0 => (limit(&a + &b), each(x, y, |x, y| x + y)),
                    1 => (limit(&a - &b), each(x, y, |x, y| x - y)),
                    _ => (limit(&a * 2.0 + 1.0), each(x, y, |x, _| 2.0 * x + 1.0)),
                };
                self.keep(dice, pair);
            }
            4..=6 => {
                let (tensor, numbers) = self.any(dice);
                let (variable, current) = &mut self.variables[dice.roll(VARIABLES)];
                variable.assign(&tensor).unwrap();
                *current = numbers;
            }
            7 => {
                let pair = self.any(dice);
                self.keep(dice, pair);
            }
            8 => {
                let (tensor, numbers) = self.any(dice);
                look(&tensor, numbers, seed);
            }
            9 => {
                let (variable, numbers) = &self.variables[dice.roll(VARIABLES)];
                look(&variable.value(), *numbers, seed);
            }
            10 => {
                if self.values.len() > 1 {
                    self.values.swap_remove(dice.roll(self.values.len()));
                }
            }
            _ => {
                let (input, x) = self.any(dice);
                let output = self.step.run(&[&input]).unwrap().remove(0);
                let sum = each(self.variables[0].1, x, |a, x| a + x);
                self.variables[0].1 = sum;
                let numbers = each(sum, self.variables[1].1, |a, b| a + b);
                self.keep(dice, (output, numbers));
            }
        }
    }
}

#[test]
fn laziness_is_not_visible() {
    let device = cpu();
    device.scope(|| {
        for seed in 1..150u64 {
            let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let mut world = World::new(&mut dice);
            for _ in 0..60 {
                world.act(&mut dice, seed);
            }
            for (variable, numbers) in &world.variables {
                look(&variable.value(), *numbers, seed);
            }
            for (tensor, numbers) in &world.values {
                look(tensor, *numbers, seed);
            }
        }
    });
}
