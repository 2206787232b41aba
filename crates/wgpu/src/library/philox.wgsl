// Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): the word of an element.
fn philox(element: u32, stream: u32, step: u32, iteration: u32, seed0: u32, seed1: u32) -> u32 {
    var words = vec4<u32>(element >> 2u, step, stream, iteration);
    var key = vec2<u32>(seed0, seed1);
    for (var round = 0u; round < 10u; round += 1u) {
        words = vec4<u32>(
            multiply_high(0xcd9e8d57u, words.z) ^ words.y ^ key.x,
            0xcd9e8d57u * words.z,
            multiply_high(0xd2511f53u, words.x) ^ words.w ^ key.y,
            0xd2511f53u * words.x,
        );
        key += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
    }
    let pair = select(words.xy, words.zw, (element & 2u) == 2u);
    return select(pair.x, pair.y, (element & 1u) == 1u);
}
