//! Which layer of a recipe a module of its network is: what messages call it.

use crate::schema::{Layer, Network};
use warploom_train::Error;

/// A layer as messages name it, `` `model.layers.2` (conv2d, small.toml:14) ``, from a module path such as `3` or `4.body.0`;
/// without the line where none is known; `None` for networks that have a name and for paths of no layer.
pub(crate) fn layer_name(network: &Network, path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('.').collect();
    let (key, layer) = find(&network.layers, "model.layers", &parts)?;
    let line = network.lines.0.get(&key).map_or(String::new(), |line| format!(", {line}"));
    Some(format!("`{key}` ({}{line})", kind(layer)))
}

/// An error of the network with the recipe's layer in place of the library's line.
pub(crate) fn placed(error: Error, network: &Network) -> Error {
    let Error::Tensor(warploom_tensor::Error::Graph(found)) = &error else { return error };
    let path = found.origin.as_ref().and_then(|origin| origin.module.as_deref());
    match path.and_then(|path| layer_name(network, path)) {
        Some(layer) => Error::invalid(format!("{layer}: {} {}", found.op, found.message)),
        None => error,
    }
}

fn find<'a>(layers: &'a [Layer], above: &str, path: &[&str]) -> Option<(String, &'a Layer)> {
    let (first, rest) = path.split_first()?;
    let wanted: usize = first.parse().ok()?;
    let mut next = 0;
    for (position, layer) in layers.iter().enumerate() {
        next += modules(layer);
        if wanted < next {
            let key = format!("{above}.{position}");
            return within(layer, &key, rest).or(Some((key, layer)));
        }
    }
    None
}

/// The layer inside a block.
fn within<'a>(block: &'a Layer, key: &str, path: &[&str]) -> Option<(String, &'a Layer)> {
    let (part, rest) = path.split_first()?;
    match (block, *part) {
        (Layer::Residual { layers, .. }, "body") => find(layers, &format!("{key}.layers"), rest),
        (Layer::Residual { shortcut, .. }, "shortcut") => find(shortcut, &format!("{key}.shortcut"), rest),
        (Layer::Branches { branches, .. }, branch) => {
            find(branches.get(branch.parse::<usize>().ok()?)?, &format!("{key}.branches.{branch}"), rest)
        }
        _ => None,
    }
}

/// How many modules of a sequence a layer takes: its activation is one, and so is the cast before an embedding.
fn modules(layer: &Layer) -> usize {
    match layer {
        Layer::Dense { activation: Some(_), .. }
        | Layer::Conv1d { activation: Some(_), .. }
        | Layer::Conv2d { activation: Some(_), .. }
        | Layer::ConvTranspose2d { activation: Some(_), .. }
        | Layer::Embedding { .. } => 2,
        _ => 1,
    }
}

/// As recipes spell it.
fn kind(layer: &Layer) -> String {
    let value = toml::Value::try_from(layer).ok();
    value.and_then(|value| Some(value.get("kind")?.as_str()?.to_owned())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::sequential;
    use crate::parse::find as recipe;
    use warploom_nn::Parameters;

    #[test]
    fn every_module_is_found_in_the_recipe() {
        let layers = r#"model={ layers = [
            { kind = "conv2d", filters = 4, kernel = 3, padding = "same", activation = "relu" },
            { kind = "residual", layers = ["batch_norm", { kind = "conv2d", filters = 4, kernel = 1 }], shortcut = [{ kind = "conv2d", filters = 4, kernel = 1 }] },
            { kind = "branches", branches = [[], [{ kind = "conv2d", filters = 2, kernel = 1 }]] },
            "flatten", "dense"] }"#
            .replace('\n', " ");
        let network = recipe("digits", &[layers]).unwrap().model;
        for (path, wanted) in [
            ("0", Some("`model.layers.0` (conv2d)")),
            ("1", Some("`model.layers.0` (conv2d)")),
            ("2", Some("`model.layers.1` (residual)")),
            ("2.body.1", Some("`model.layers.1.layers.1` (conv2d)")),
            ("2.shortcut.0", Some("`model.layers.1.shortcut.0` (conv2d)")),
            ("3.1.0", Some("`model.layers.2.branches.1.0` (conv2d)")),
            ("5", Some("`model.layers.4` (dense)")),
            ("6", None),
            ("layer1.0.conv1", None),
        ] {
            assert_eq!(layer_name(&network, path).as_deref(), wanted, "{path}");
        }
        // The paths are those of the network that is built.
        let device =
            warploom_tensor::Device::from_executor(std::sync::Arc::new(warploom_cpu::Cpu::new(Some(1))));
        let model =
            sequential(&network.layers, 10, "model.layers").unwrap().build([1, 4, 4], &device).unwrap();
        for variable in model.named_variables() {
            let layer = layer_name(&network, &variable.name).unwrap();
            let conv = variable.variable.shape().unwrap().len() == 4;
            assert!(!conv || layer.ends_with("(conv2d)"), "{}: {layer}", variable.name);
        }
    }
}
