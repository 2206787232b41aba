//! Kernels of the user's own, as text.

use crate::shape::Type;
use std::sync::Arc;

/// A kernel for a call in one language, with its launch geometry. What the text may rely on is said by the backend of the
/// language.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Source {
    /// The language, by the name that backends know it by: `wgsl`.
    pub language: &'static str,
    /// The text.
    pub text: Arc<str>,
    /// Invocations of a workgroup, along its three axes.
    pub workgroup: [u32; 3],
    /// Workgroups along the three axes.
    pub groups: [u32; 3],
}

impl Source {
    /// Whether the geometry can make results of these types.
    pub(crate) fn check(&self, results: &[&Type]) -> Result<(), String> {
        let Source { language, workgroup, groups, .. } = self;
        if workgroup.contains(&0) {
            return Err(format!(
                "its {language} source has workgroups {workgroup:?}; each extent must be at least 1"
            ));
        }
        if groups.contains(&0) && results.iter().any(|ty| ty.elements() > 0) {
            return Err(format!(
                "its {language} source is launched with {groups:?} workgroups, so nothing is computed"
            ));
        }
        Ok(())
    }
}
