// The index if it is below the extent. Otherwise 0, and the first of all such reports stays in `faults`.
fn check_index(index: i32, extent: u32, kernel: u32) -> u32 {
    let position = bitcast<u32>(index);
    if position < extent {
        return position;
    }
    loop {
        let flag = atomicCompareExchangeWeak(&faults[0], 0u, 1u);
        if flag.exchanged {
            atomicStore(&faults[1], kernel);
            atomicStore(&faults[2], position);
            atomicStore(&faults[3], extent);
            break;
        }
        // A weak exchange may fail although the flag is 0.
        if flag.old_value != 0u {
            break;
        }
    }
    return 0u;
}
