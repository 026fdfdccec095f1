//! Bipartite matching of signers to thresholds. Each signer is assigned to at most one threshold.

/// Whether every threshold gets as many signers as it needs. `needs[t]` is the number of signers that
/// threshold `t` needs; `fits[s][t]` is whether signer `s` may count for threshold `t`.
pub(super) fn can_assign(needs: &[usize], fits: &[Vec<bool>]) -> bool {
    let mut assigned: Vec<Option<usize>> = vec![None; fits.len()];
    needs.iter().enumerate().all(|(threshold, needed)| {
        (0..*needed).all(|_| {
            let mut seen = vec![false; fits.len()];
            augment(threshold, fits, &mut assigned, &mut seen)
        })
    })
}

/// Assigns one more signer to a threshold along an augmenting path, which may reassign other signers.
/// The recursion depth is at most the number of signers.
fn augment(
    threshold: usize,
    fits: &[Vec<bool>],
    assigned: &mut [Option<usize>],
    seen: &mut [bool],
) -> bool {
    for (signer, fit) in fits.iter().enumerate() {
        let usable = fit.get(threshold).copied().unwrap_or(false);
        let was_seen = seen.get(signer).copied().unwrap_or(true);
        if !usable || was_seen {
            continue;
        }
        if let Some(mark) = seen.get_mut(signer) {
            *mark = true;
        }
        let current = assigned.get(signer).copied().flatten();
        if current.is_none_or(|other| augment(other, fits, assigned, seen)) {
            if let Some(place) = assigned.get_mut(signer) {
                *place = Some(threshold);
            }
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signer_that_fits_two_thresholds_is_assigned_where_it_is_needed() {
        // The first signer fits both thresholds, the second fits only the first threshold.
        let fits = [vec![true, true], vec![true, false]];

        assert!(can_assign(&[1, 1], &fits));
        assert!(!can_assign(&[2, 1], &fits));
        assert!(!can_assign(&[1, 2], &fits));
        assert!(can_assign(&[2, 0], &fits));
    }

    #[test]
    fn the_result_equals_that_of_exhaustive_search() {
        // All 2^12 inputs of four signers and three thresholds, each against all assignments.
        for pattern in 0_u32..1 << 12 {
            let fits: Vec<Vec<bool>> = (0..4)
                .map(|signer| {
                    (0..3)
                        .map(|t| pattern >> (signer * 3 + t) & 1 == 1)
                        .collect()
                })
                .collect();
            let possible = (0..4_usize.pow(4)).any(|choice| {
                let mut counts = [0; 3];
                for (signer, fit) in fits.iter().enumerate() {
                    let place = choice / 4_usize.pow(u32::try_from(signer).unwrap()) % 4;
                    if place < 3 && fit[place] {
                        counts[place] += 1;
                    }
                }
                counts[0] >= 1 && counts[1] >= 2 && counts[2] >= 1
            });
            assert_eq!(can_assign(&[1, 2, 1], &fits), possible, "{pattern:b}");
        }
    }
}
