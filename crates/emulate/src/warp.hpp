// What the 32 threads of a warp do as one: each gives something, waits until all have, and takes of what the others gave.
// Layouts of matrices over a warp are those of the PTX ISA, "Matrix multiply-accumulate operation using mma instruction".

namespace emulation {

// The first or second element of a word.
static float bfloat(unsigned word, unsigned position) {
    return __builtin_bit_cast(float, position == 0 ? word << 16 : word & 0xffff0000u);
}

static float half(unsigned word, unsigned position) {
    return float(__builtin_bit_cast(_Float16, (unsigned short)(word >> 16 * position)));
}

static float word(unsigned word, unsigned) {
    return __builtin_bit_cast(float, word);
}

static unsigned tf32(unsigned bits) {
    const bool is_finite = (bits & 0x7f800000u) != 0x7f800000u;
    return is_finite ? (bits + 0x1000u) & ~0x1fffu : bits;
}

struct Gift {
    unsigned words[6];
    float sums[4];
    const unsigned *address;
};

// Those of two operations: who is done with one may be at the next while others still take.
static Gift gifts[2][MOST_THREADS];

// What all threads of the warp give.
static const Gift *exchange(const Gift &own) {
    const unsigned thread = running;
    Gift *all = gifts[fibers[thread].turns++ % 2];
    all[thread] = own;
    wait_for(WARP);
    return all + thread / WARP_THREADS * WARP_THREADS;
}

// Four matrices of 8 x 8 halves, or of 8 x 4 words, by the addresses of their rows: thread 8 i + r gives that of row r of
// matrix i. Thread 4 r + c takes word c of row r.
static void load_matrices(unsigned (&to)[4], const unsigned *row) {
    if (size_t(row) % 16 != 0) {
        mistake = "a row of a matrix does not begin at a multiple of 16 bytes";
    }
    const Gift *all = exchange({{}, {}, row});
    const unsigned lane = running % WARP_THREADS;
    for (unsigned i = 0; i < 4; i++) {
        to[i] = all[8 * i + lane / 4].address[lane % 4];
    }
}

// The same of halves, each matrix with its rows as columns.
static void load_transposed(unsigned (&to)[4], const unsigned *row) {
    if (size_t(row) % 16 != 0) {
        mistake = "a row of a matrix does not begin at a multiple of 16 bytes";
    }
    const Gift *all = exchange({{}, {}, row});
    const unsigned lane = running % WARP_THREADS;
    for (unsigned i = 0; i < 4; i++) {
        const unsigned short *first = (const unsigned short *)all[8 * i + lane % 4 * 2].address;
        const unsigned short *second = (const unsigned short *)all[8 * i + lane % 4 * 2 + 1].address;
        to[i] = first[lane / 4] | unsigned(second[lane / 4]) << 16;
    }
}

// sums[16 x 8] += left[16 x 8 n] * right[8 n x 8], n elements to a word, each read by `element(word, position)`.
template <class Element>
__attribute__((optimize("O3")))
static void multiply_matrices(float (&sums)[16][8], const Gift *all, unsigned n, Element element) {
    float left[16][16], right[16][8];
    for (unsigned lane = 0; lane < WARP_THREADS; lane++) {
        const unsigned *words = all[lane].words;
        for (unsigned half = 0; half < 2; half++) {
            for (unsigned position = 0; position < n; position++) {
                const unsigned k = (half * 4 + lane % 4) * n + position;
                left[lane / 4][k] = element(words[half * 2], position);
                left[lane / 4 + 8][k] = element(words[half * 2 + 1], position);
                right[k][lane / 4] = element(words[4 + half], position);
            }
        }
        for (unsigned i = 0; i < 4; i++) {
            sums[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2] = all[lane].sums[i];
        }
    }
    for (unsigned row = 0; row < 16; row++) {
        for (unsigned k = 0; k < 8 * n; k++) {
            for (unsigned column = 0; column < 8; column++) {
                sums[row][column] = fmaf(left[row][k], right[k][column], sums[row][column]);
            }
        }
    }
}

// Products of two operations of each warp.
static struct Product {
    float sums[16][8];
    bool is_known;
} products[2][MOST_WARPS];

// A thread's part of the sums. The first of its warp to go on multiplies for all.
template <class Element>
static void multiply(float (&sums)[4], const unsigned (&left)[4], unsigned right0, unsigned right1, unsigned n, Element element) {
    Product &product = products[fibers[running].turns % 2][running / WARP_THREADS];
    product.is_known = false;
    const Gift *all = exchange({{left[0], left[1], left[2], left[3], right0, right1}, {sums[0], sums[1], sums[2], sums[3]}, NULL});
    if (!product.is_known) {
        multiply_matrices(product.sums, all, n, element);
        product.is_known = true;
    }
    const unsigned lane = running % WARP_THREADS;
    for (unsigned i = 0; i < 4; i++) {
        sums[i] = product.sums[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2];
    }
}

// Copies that a thread has begun; they happen when it waits for them, so that what does not wait is found.
struct Copy {
    unsigned *to;
    const unsigned *from;
};

const unsigned MOST_COPIES = 64;
static Copy copies[MOST_THREADS][MOST_COPIES];

// 16 bytes, zeros where nothing is copied.
static void copy_later(unsigned *to, const void *from, bool exists) {
    if (size_t(to) % 16 != 0 || (exists && size_t(from) % 16 != 0) || fibers[running].copies == MOST_COPIES) {
        mistake = "a copy to shared memory is not of whole vectors, or one of too many";
        return;
    }
    copies[running][fibers[running].copies++] = {to, exists ? (const unsigned *)from : NULL};
}

static void finish_copies() {
    for (unsigned i = 0; i < fibers[running].copies; i++) {
        const Copy &copy = copies[running][i];
        for (unsigned word = 0; word < 4; word++) {
            copy.to[word] = copy.from == NULL ? 0 : copy.from[word];
        }
    }
    fibers[running].copies = 0;
}

}

static void __syncwarp() {
    emulation::wait_for(emulation::WARP);
}

static unsigned __shfl_down_sync(unsigned, unsigned value, unsigned distance) {
    const emulation::Gift *all = emulation::exchange({{value}, {}, NULL});
    const unsigned from = emulation::running % emulation::WARP_THREADS + distance;
    return from < emulation::WARP_THREADS ? all[from].words[0] : value;
}
