fn div_i32(a: i32, b: i32) -> i32 {
    let overflows = bitcast<u32>(a) == 0x80000000u && b == -1;
    let quotient = a / select(b, 1, b == 0 || overflows);
    return select(quotient, 0, b == 0);
}

fn div_u32(a: u32, b: u32) -> u32 {
    return select(a / max(b, 1u), 0u, b == 0u);
}

fn rem_i32(a: i32, b: i32) -> i32 {
    // Whatever -1 divides it divides evenly; the lowest number would overflow.
    return a % select(b, 1, b == 0 || b == -1);
}

fn rem_u32(a: u32, b: u32) -> u32 {
    return a % max(b, 1u);
}

fn abs_i32(x: i32) -> i32 {
    let bits = bitcast<u32>(x);
    return bitcast<i32>(select(bits, 0u - bits, x < 0));
}

fn shift_left(x: u32, count: u32) -> u32 {
    return select(x << (count & 31u), 0u, count > 31u);
}

fn shift_right(x: u32, count: u32) -> u32 {
    return select(x >> (count & 31u), 0u, count > 31u);
}
