//! Bipartite matching: whether there are enough signers for several thresholds at once, each signer
//! for one threshold only.

/// Whether every threshold can have as many signers as it needs, no signer twice. `needs` has the
/// number for each threshold; `fits` has, for each signer, the thresholds that it could serve.
pub(super) fn can_assign(needs: &[usize], fits: &[Vec<bool>]) -> bool {
    let mut serving: Vec<Option<usize>> = vec![None; fits.len()];
    needs.iter().enumerate().all(|(threshold, needed)| {
        (0..*needed).all(|_| {
            let mut seen = vec![false; fits.len()];
            find_place(threshold, fits, &mut serving, &mut seen)
        })
    })
}

/// Finds one more signer for a threshold, reassigning others if necessary (an augmenting path). The
/// recursion is at most as deep as there are signers.
fn find_place(
    threshold: usize,
    fits: &[Vec<bool>],
    serving: &mut [Option<usize>],
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
        let present = serving.get(signer).copied().flatten();
        if present.is_none_or(|other| find_place(other, fits, serving, seen)) {
            if let Some(place) = serving.get_mut(signer) {
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
    fn a_signer_of_two_groups_serves_where_it_is_needed() {
        // The first fits both thresholds, the second only the first of them.
        let fits = [vec![true, true], vec![true, false]];

        assert!(can_assign(&[1, 1], &fits));
        assert!(!can_assign(&[2, 1], &fits));
        assert!(!can_assign(&[1, 2], &fits));
        assert!(can_assign(&[2, 0], &fits));
    }

    #[test]
    fn the_answer_is_that_of_trying_every_assignment() {
        // Three thresholds, four signers: every pattern of fitness, against every assignment.
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
