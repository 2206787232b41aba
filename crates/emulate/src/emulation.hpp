// What CUDA C++ has and C++ has not, for kernels that a processor runs one thread after another.

#include <math.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define __device__
#define __global__
#define __launch_bounds__(...)

struct uint3 {
    unsigned x, y, z;
};

static uint3 threadIdx, blockIdx, blockDim, gridDim;

static inline unsigned __umulhi(unsigned a, unsigned b) {
    return unsigned((unsigned long long)a * b >> 32);
}

static inline int __clz(int x) {
    return x == 0 ? 32 : __builtin_clz(unsigned(x));
}

static inline int __clzll(long long x) {
    return x == 0 ? 64 : __builtin_clzll((unsigned long long)x);
}

static inline unsigned atomicXor(unsigned *word, unsigned bits) {
    const unsigned old = *word;
    *word = old ^ bits;
    return old;
}

static inline unsigned atomicCAS(unsigned *word, unsigned expected, unsigned desired) {
    const unsigned old = *word;
    *word = old == expected ? desired : old;
    return old;
}

namespace emulation {

const unsigned MOST_THREADS = 1024;
const unsigned WARP_THREADS = 32;
const unsigned MOST_WARPS = MOST_THREADS / WARP_THREADS;
const size_t STACK_BYTES = 128 << 10;

// A kernel with its launch.
struct Launch {
    void (*call)(void *const *arguments);
    void *const *arguments;
    unsigned groups[3];
    unsigned threads;
    // Whether threads wait for each other.
    bool waits;
    // What a block shares.
    char *shared;
    size_t shared_bytes;
    // 0 for threads in their order, anything else for an order by chance.
    unsigned long long seed;
};

// Where a flow of control goes on. Sanitizers follow switches of contexts alone, which ask the system each time; elsewhere a
// context only begins a flow, and jumps, a hundred times as fast, go on with it.
struct Flow {
    ucontext_t context;
    jmp_buf place;
    bool has_begun;
};

static void change(Flow &from, Flow &to) {
#ifdef __SANITIZE_ADDRESS__
    swapcontext(&from.context, &to.context);
#else
    if (_setjmp(from.place) != 0) {
        return;
    }
    if (to.has_begun) {
        _longjmp(to.place, 1);
    }
    to.has_begun = true;
    setcontext(&to.context);
#endif
}

// What a thread waits for: the others of its warp, or of its block.
enum Wait { WARP, BLOCK };

// A thread of a block: it goes on until it waits or ends.
struct Fiber {
    Flow flow;
    bool is_made, has_ended;
    Wait wait;
    // Operations of its warp so far, and copies that it has begun.
    unsigned turns, copies;
};

static Fiber fibers[MOST_THREADS];
// It begins with the process.
static Flow scheduler = {{}, {}, true};
static unsigned running;
static const Launch *launched;
// What a thread has done that no GPU does; null unless there is something.
static const char *mistake;

static void live() {
    // A fiber is used again by the next block.
    for (;;) {
        launched->call(launched->arguments);
        fibers[running].has_ended = true;
        fibers[running].wait = BLOCK;
        change(fibers[running].flow, scheduler);
    }
}

static bool make(Fiber &fiber) {
    if (fiber.is_made) {
        return true;
    }
    void *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ucontext_t &context = fiber.flow.context;
    if (stack == MAP_FAILED || getcontext(&context) != 0) {
        return false;
    }
    context.uc_stack.ss_sp = stack;
    context.uc_stack.ss_size = STACK_BYTES;
    context.uc_link = NULL;
    makecontext(&context, live, 0);
    fiber.flow.has_begun = false;
    fiber.is_made = true;
    return true;
}

static void resume(unsigned thread) {
    running = thread;
    threadIdx = {thread, 0, 0};
    change(scheduler, fibers[thread].flow);
}

static void wait_for(Wait wait) {
    fibers[running].wait = wait;
    change(fibers[running].flow, scheduler);
}

// 0 to count - 1, in another order each time unless the seed is 0.
static void arrange(unsigned *order, unsigned count, unsigned long long &seed) {
    for (unsigned i = 0; i < count; i++) {
        order[i] = i;
    }
    for (unsigned i = count; seed != 0 && i > 1; i--) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        const unsigned j = unsigned((seed >> 33) % i);
        const unsigned other = order[j];
        order[j] = order[i - 1];
        order[i - 1] = other;
    }
}

static unsigned lanes_of(unsigned warp, unsigned threads) {
    const unsigned rest = threads - warp * WARP_THREADS;
    return rest < WARP_THREADS ? rest : WARP_THREADS;
}

// Runs the threads of a block to its next barrier, warp by warp: a warp whose threads all wait for each other goes on before
// others begin, so that it is as far ahead of them as it may be.
static const char *run_round(const Launch &launch, unsigned long long &seed) {
    // Who goes on, the last first.
    unsigned stack[MOST_THREADS], warps[MOST_WARPS], lanes[WARP_THREADS], waiting[MOST_WARPS] = {}, count = 0;
    const auto push = [&](unsigned warp) {
        const unsigned some = lanes_of(warp, launch.threads);
        arrange(lanes, some, seed);
        for (unsigned i = some; i > 0; i--) {
            stack[count++] = warp * WARP_THREADS + lanes[i - 1];
        }
    };
    const unsigned all = (launch.threads + WARP_THREADS - 1) / WARP_THREADS;
    arrange(warps, all, seed);
    for (unsigned i = all; i > 0; i--) {
        push(warps[i - 1]);
    }
    while (count > 0) {
        const unsigned thread = stack[--count], warp = thread / WARP_THREADS;
        resume(thread);
        if (fibers[thread].wait == WARP && ++waiting[warp] == lanes_of(warp, launch.threads)) {
            waiting[warp] = 0;
            push(warp);
        }
    }
    for (unsigned warp = 0; warp < MOST_WARPS; warp++) {
        if (waiting[warp] != 0) {
            return "some threads of a warp wait for the others, which wait elsewhere or have ended";
        }
    }
    return NULL;
}

// Gives up the stacks of a block's threads where they are.
static const char *give_up(const Launch &launch, const char *wrong) {
    for (unsigned i = 0; i < launch.threads; i++) {
        fibers[i].is_made = false;
    }
    return wrong;
}

// Runs the threads of a block. Those that wait for each other run in rounds, from one barrier to the next.
static const char *run_block(const Launch &launch, unsigned long long &seed) {
    // Memory that a block shares begins undefined.
    if (launch.shared_bytes != 0) {
        memset(launch.shared, 0xff, launch.shared_bytes);
    }
    if (!launch.waits) {
        static unsigned order[MOST_THREADS];
        arrange(order, launch.threads, seed);
        for (unsigned i = 0; i < launch.threads; i++) {
            threadIdx = {order[i], 0, 0};
            launch.call(launch.arguments);
        }
        return NULL;
    }
    for (unsigned i = 0; i < launch.threads; i++) {
        if (!make(fibers[i])) {
            return "there is no memory for the stacks of a block's threads";
        }
        fibers[i].has_ended = false;
        fibers[i].turns = fibers[i].copies = 0;
    }
    unsigned ended = 0;
    while (ended < launch.threads) {
        const char *wrong = run_round(launch, seed);
        if (wrong != NULL) {
            return give_up(launch, wrong);
        }
        ended = 0;
        for (unsigned i = 0; i < launch.threads; i++) {
            ended += fibers[i].has_ended;
        }
        if (ended != 0 && ended != launch.threads) {
            return give_up(launch, "some threads of a block end while others wait at a barrier");
        }
    }
    return mistake;
}

// Runs all blocks; gives what is wrong with the kernel, or nothing.
static const char *run(const Launch &launch) {
    const unsigned *groups = launch.groups;
    const unsigned blocks = groups[0] * groups[1] * groups[2];
    unsigned *order = (unsigned *)malloc(sizeof(unsigned) * (blocks + 1));
    if (order == NULL || launch.threads > MOST_THREADS) {
        free(order);
        return order == NULL ? "there is no memory for the order of blocks" : "a block has more than 1024 threads";
    }
    unsigned long long seed = launch.seed;
    arrange(order, blocks, seed);
    launched = &launch;
    mistake = NULL;
    blockDim = {launch.threads, 1, 1};
    gridDim = {groups[0], groups[1], groups[2]};
    const char *wrong = NULL;
    for (unsigned i = 0; i < blocks && wrong == NULL; i++) {
        const unsigned block = order[i];
        blockIdx = {block % groups[0], block / groups[0] % groups[1], block / groups[0] / groups[1]};
        wrong = run_block(launch, seed);
    }
    free(order);
    return wrong;
}

template <size_t... I> struct Positions {};
template <size_t count, size_t... I> struct Count : Count<count - 1, count - 1, I...> {};
template <size_t... I> struct Count<0, I...> {
    typedef Positions<I...> All;
};

template <auto kernel> struct Kernel;
template <class... Parameters, void (*kernel)(Parameters...)> struct Kernel<kernel> {
    template <size_t... I> static void spread(void *const *arguments, Positions<I...>) {
        kernel(static_cast<Parameters>(arguments[I])...);
    }

    static void call(void *const *arguments) {
        spread(arguments, typename Count<sizeof...(Parameters)>::All());
    }
};

}

static void __syncthreads() {
    emulation::wait_for(emulation::BLOCK);
}
