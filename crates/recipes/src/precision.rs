//! The device of a recipe, in its precision.

use crate::schema::{self, Recipe};
use warploom_tensor::{Device, Precision};
use warploom_train::{Error, Result};

/// The device that the recipe names, which compiles in the precision that the recipe asks for.
///
/// # Errors
/// No such device; a precision that it does not compute with.
pub(crate) fn device(recipe: &Recipe) -> Result<Device> {
    let device = Device::named(&recipe.device)?;
    let precision = precision(recipe.train.precision);
    if precision == device.precision() {
        return Ok(device);
    }
    device.with_precision(precision).map_err(|error| match error {
        warploom_tensor::Error::Graph(error) => {
            Error::invalid(format!("`train.precision` is `{precision}`; {}", error.message))
        }
        other => other.into(),
    })
}

fn precision(asked: schema::Precision) -> Precision {
    match asked {
        schema::Precision::F32 => Precision::F32,
        schema::Precision::Tf32 => Precision::Tf32,
        schema::Precision::Bf16 => Precision::Bf16,
        schema::Precision::F16 => Precision::F16,
    }
}

/// What programs of the device run in, which may be more exact than what was asked for.
pub fn effective_precision(device: &Device) -> Precision {
    let asked = device.precision();
    asked.on(device.capabilities()).unwrap_or(asked)
}

/// What follows the device's name where it does not run f32 as asked: `, in bf16`.
///
/// # Errors
/// Those of [`Precision::table`].
pub(crate) fn numbers_line(device: &Device) -> Result<String> {
    let table = device.precision().table(device.capabilities()).map_err(warploom_tensor::Error::from)?;
    Ok(match (table.asked, table.reason) {
        (Precision::F32, _) => String::new(),
        (asked, None) => format!(", in {asked}"),
        (_, Some(reason)) => format!("; {reason}"),
    })
}

#[cfg(test)]
mod tests {
    use super::precision;
    use crate::schema::Precision as Asked;

    #[test]
    fn each_name_is_that_of_the_compiler() {
        for asked in [Asked::F32, Asked::Tf32, Asked::Bf16, Asked::F16] {
            let written = toml::Value::try_from(asked).expect("a name");
            assert_eq!(written.as_str(), Some(precision(asked).name()));
        }
    }
}
