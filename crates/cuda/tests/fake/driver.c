/* A driver without a GPU: device memory is the host's, work is done when it is queued, every call is written to a log.
 *
 * FAKE_LOG        the file that calls are appended to
 * FAKE_VERSION    the version of CUDA it says it is of, 13000 unless set
 * FAKE_DEVICES    how many GPUs it lists, 1 unless set, 8 at most
 * FAKE_PEERS      whether they reach each other, 1 unless set
 * FAKE_INIT       what cuInit answers, 0 unless set
 * FAKE_FAIL       the number of the call that fails, from 1; calls that explain codes do not count
 * FAKE_CODE       what it answers, 1 unless set; codes of 7xx are sticky: every later call answers so too
 * FAKE_LOSE       a file; once it exists, every call answers 700
 *
 * A module "library=PATH args=N" is a kernel compiled for the host, see nvrtc.c. Else it is a text "args=N add=K" : its kernel adds K to the first word of its last argument, with "args=N fault=K" it
 * reports the first word of its first argument to its last where that is K or more. Any other does nothing. Kernels of graphs run when the
 * graph is launched, and so does the work that other libraries give to a queue. At the end the log says what is left. */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned code;
enum { MOST = 128 };

typedef const char *launch(void *const *args, const unsigned *groups, unsigned threads, unsigned long long seed);
struct module { int args; unsigned add, fault; void *library; launch *launch; };
struct kernel { struct module *module; void (*work)(const void *); unsigned groups[3], threads; uint64_t args[MOST]; };
struct graph { int count; struct kernel kernels[4096]; };
struct gpu { int index; };
struct event { const struct gpu *gpu; int stream, record; };
struct stream { const struct gpu *gpu; int id, records; struct graph *capture; };

static struct gpu gpus[] = { { 0 }, { 1 }, { 2 }, { 3 }, { 4 }, { 5 }, { 6 }, { 7 } };
/* Whose context is the thread's. */
static _Thread_local struct gpu *current;
static atomic_int calls, sticky, streams;
static atomic_int memories, pinned, modules, graphs, executables, events, live_streams, contexts;

static long number(const char *name, long otherwise) {
    const char *text = getenv(name);
    return text ? atol(text) : otherwise;
}

static void note(const char *text) {
    const char *path = getenv("FAKE_LOG");
    FILE *file = path ? fopen(path, "a") : NULL;
    if (!file) return;
    fputs(text, file);
    fputc('\n', file);
    fclose(file);
}

static code called(const char *name, const char *about) {
    char line[1024];
    int call = ++calls;
    if (!sticky && getenv("FAKE_LOSE") && access(getenv("FAKE_LOSE"), F_OK) == 0) sticky = 700;
    code answer = sticky;
    if (!answer && call == number("FAKE_FAIL", 0)) {
        answer = number("FAKE_CODE", 1);
        if (answer / 100 == 7) sticky = answer;
    }
    snprintf(line, sizeof line, answer ? "%s %s = %u" : "%s %s", name, about, answer);
    note(line);
    return answer;
}

static code stream_called(const char *name, void *stream, const char *about) {
    char line[128];
    snprintf(line, sizeof line, "s%d %s", stream ? ((struct stream *)stream)->id : 0, about);
    return called(name, line);
}

/* For the libraries beside this one. */
code fake_called(const char *name, const char *about) { return called(name, about); }

#define CHECK(call) do { code answer_ = (call); if (answer_) return answer_; } while (0)

__attribute__((destructor)) static void end(void) {
    char line[256];
    snprintf(line, sizeof line, "left memories=%d pinned=%d modules=%d graphs=%d executables=%d events=%d streams=%d contexts=%d",
             memories, pinned, modules, graphs, executables, events, live_streams, contexts);
    note(line);
}

code cuInit(unsigned flags) { (void)flags; CHECK(called("init", "")); return number("FAKE_INIT", 0); }
code cuDriverGetVersion(int *version) { CHECK(called("version", "")); *version = number("FAKE_VERSION", 13000); return 0; }
code cuGetErrorName(code error, const char **text) {
    *text = error == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : error == 100 ? "CUDA_ERROR_NO_DEVICE" : error == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS" : error < 9000 ? "CUDA_ERROR_FAKE" : NULL;
    return *text ? 0 : 1;
}
code cuGetErrorString(code error, const char **text) { *text = error < 9000 ? "the fake driver's reason" : NULL; return *text ? 0 : 1; }

code cuDeviceGetCount(int *count) { CHECK(called("device_count", "")); *count = number("FAKE_DEVICES", 1); return 0; }
code cuDeviceGet(int *device, int index) { CHECK(called("device", "")); *device = index; return 0; }
code cuDeviceGetName(char *name, int length, int device) { (void)device; CHECK(called("device_name", "")); snprintf(name, length, "Fake GPU"); return 0; }
code cuDeviceGetUuid_v2(unsigned char *uuid, int device) { CHECK(called("device_uuid", "")); for (int i = 0; i < 16; i++) uuid[i] = 17 * i; uuid[15] += device; return 0; }
code cuDeviceTotalMem_v2(size_t *bytes, int device) { (void)device; CHECK(called("device_memory", "")); *bytes = 1 << 30; return 0; }
code cuDeviceGetAttribute(int *value, unsigned attribute, int device) {
    (void)device;
    CHECK(called("device_attribute", ""));
    switch (attribute) {
    case 1: *value = 1024; break;
    case 5: *value = 2147483647; break;
    case 6: case 7: *value = 65535; break;
    case 8: *value = 49152; break;
    case 16: *value = 132; break;
    case 39: *value = 2048; break;
    case 75: *value = 9; break;
    case 76: *value = 0; break;
    default: *value = -1;
    }
    return 0;
}
code cuDeviceGetDefaultMemPool(void **pool, int device) { CHECK(called("device_pool", "")); *pool = &gpus[device]; return 0; }
code cuMemPoolSetAttribute(void *pool, unsigned attribute, void *value) { (void)pool; (void)attribute; (void)value; return called("pool_set", ""); }

code cuDevicePrimaryCtxRetain(void **context, int device) { CHECK(called("context_retain", "")); contexts++; *context = &gpus[device]; return 0; }
code cuDevicePrimaryCtxRelease_v2(int device) { (void)device; contexts--; return called("context_release", ""); }
code cuCtxSetCurrent(void *context) { CHECK(called("context_set", "")); current = context; return 0; }

/* An access of device memory of CUDA's: a kind of place, its number, what is allowed. */
struct access { unsigned kind; int device; unsigned flags; };
code cuMemPoolSetAccess(void *pool, const struct access *access, size_t count) {
    char about[64];
    snprintf(about, sizeof about, "gpu%d to gpu%d", ((struct gpu *)pool)->index, access->device);
    CHECK(called("pool_open", about));
    return count == 1 && access->kind == 1 && access->flags == 3 ? 0 : 1;
}
code cuDeviceCanAccessPeer(int *reaches, int device, int other) {
    char about[64];
    snprintf(about, sizeof about, "gpu%d gpu%d", device, other);
    CHECK(called("reaches", about));
    *reaches = device != other && number("FAKE_PEERS", 1);
    return 0;
}

code cuStreamCreate(void **stream, unsigned flags) {
    (void)flags;
    CHECK(called("stream_create", ""));
    struct stream *made = calloc(1, sizeof *made);
    made->gpu = current;
    made->id = ++streams;
    live_streams++;
    *stream = made;
    return 0;
}
code cuStreamDestroy_v2(void *stream) { live_streams--; code answer = stream_called("stream_destroy", stream, ""); free(stream); return answer; }
code cuStreamWaitEvent(void *stream, void *event, unsigned flags) {
    char about[32];
    (void)flags;
    snprintf(about, sizeof about, "for s%d#%d", ((struct event *)event)->stream, ((struct event *)event)->record);
    return stream_called("stream_wait", stream, about);
}
code cuStreamSynchronize(void *stream) { return stream_called("stream_synchronize", stream, ""); }

code cuEventCreate(void **event, unsigned flags) { 
    (void)flags;
    CHECK(called("event_create", ""));
    events++;
    struct event *made = calloc(1, sizeof *made);
    made->gpu = current;
    *event = made;
    return 0;
}
code cuEventDestroy_v2(void *event) { events--; free(event); return called("event_destroy", ""); }
code cuEventRecord(void *event, void *stream) {
    struct stream *on = stream;
    char about[32];
    snprintf(about, sizeof about, "#%d", on->records + 1);
    CHECK(stream_called("event_record", stream, about));
    /* CUDA_ERROR_INVALID_HANDLE */
    if (((struct event *)event)->gpu != on->gpu) return 400;
    *(struct event *)event = (struct event){ on->gpu, on->id, ++on->records };
    return 0;
}
/* Every record takes a millisecond. */
code cuEventElapsedTime(float *milliseconds, void *from, void *to) {
    CHECK(called("event_elapsed", ""));
    *milliseconds = ((struct event *)to)->record - ((struct event *)from)->record;
    return 0;
}
code cuEventSynchronize(void *event) {
    char about[32];
    snprintf(about, sizeof about, "s%d#%d", ((struct event *)event)->stream, ((struct event *)event)->record);
    return called("event_synchronize", about);
}

code cuMemAllocAsync(uint64_t *pointer, size_t bytes, void *stream) {
    CHECK(stream_called("memory_allocate", stream, ""));
    if (bytes > (1u << 30)) return 2;
    memories++;
    /* Aligned as the driver's, and not zeroed: who needs zeros must ask for them. */
    void *made = aligned_alloc(256, (bytes + 255) / 256 * 256);
    memset(made, 0xa5, bytes);
    *pointer = (uint64_t)made;
    return 0;
}
code cuMemFreeAsync(uint64_t pointer, void *stream) { memories--; free((void *)pointer); return stream_called("memory_free", stream, ""); }
code cuMemHostAlloc(void **pointer, size_t bytes, unsigned flags) { (void)flags; CHECK(called("host_allocate", "")); pinned++; *pointer = malloc(bytes); return 0; }
code cuMemFreeHost(void *pointer) { pinned--; free(pointer); return called("host_free", ""); }
code cuMemsetD8Async(uint64_t to, uint8_t value, size_t bytes, void *stream) { CHECK(stream_called("fill", stream, "")); memset((void *)to, value, bytes); return 0; }
code cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, void *stream) {
    char about[32];
    snprintf(about, sizeof about, "%zu", bytes);
    CHECK(stream_called("copy_in", stream, about));
    memcpy((void *)to, from, bytes);
    return 0;
}
code cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes, void *stream) { CHECK(stream_called("copy_out", stream, "")); memcpy(to, (void *)from, bytes); return 0; }
code cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, void *stream) { CHECK(stream_called("copy_within", stream, "")); memcpy((void *)to, (void *)from, bytes); return 0; }
code cuMemcpyPeerAsync(uint64_t to, const struct gpu *there, uint64_t from, const struct gpu *here, size_t bytes, void *stream) {
    char about[64];
    snprintf(about, sizeof about, "%zu gpu%d to gpu%d", bytes, here->index, there->index);
    CHECK(stream_called("copy_between", stream, about));
    memcpy((void *)to, (void *)from, bytes);
    return 0;
}

code cuModuleLoadData(void **module, const void *image) {
    CHECK(called("module_load", ""));
    struct module *made = calloc(1, sizeof *made);
    const char *args = strstr(image, "args="), *add = strstr(image, "add="), *fault = strstr(image, "fault=");
    made->args = args ? atoi(args + 5) : 0;
    made->add = add ? strtoul(add + 4, NULL, 10) : 0;
    made->fault = fault ? strtoul(fault + 6, NULL, 10) : 0;
    if (strncmp(image, "library=", 8) == 0) {
        char path[512];
        sscanf(image, "library=%511s", path);
        made->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        made->launch = made->library ? (launch *)dlsym(made->library, "launch0") : NULL;
        if (!made->launch) { note(dlerror()); free(made); return 200; }
    }
    modules++;
    *module = made;
    return 0;
}
code cuModuleUnload(void *given) {
    struct module *module = given;
    if (module->library) dlclose(module->library);
    modules--; free(module); return called("module_unload", ""); }
code cuModuleGetFunction(void **function, void *module, const char *name) {
    CHECK(called("module_function", name));
    *function = module;
    return 0;
}

code cuFuncGetAttribute(int *value, unsigned attribute, void *function) {
    (void)attribute; (void)function;
    CHECK(called("function_attribute", ""));
    *value = 32;
    return 0;
}

code cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, void *function, int threads, size_t shared) {
    (void)function; (void)shared;
    CHECK(called("occupancy", ""));
    *blocks = 1024 / threads;
    return 0;
}

static void run(const struct kernel *kernel) {
    const struct module *module = kernel->module;
    if (kernel->work) { kernel->work(kernel->args); return; }
    if (module->launch) {
        const char *wrong = module->launch((void *const *)kernel->args, kernel->groups, kernel->threads, 0);
        if (wrong) { note(wrong); abort(); }
        return;
    }
    if (!module->args) return;
    uint32_t *last = (uint32_t *)kernel->args[module->args - 1], *first = (uint32_t *)kernel->args[0];
    if (module->fault && *first >= module->fault && !last[0]) {
        last[0] = 1, last[1] = 0, last[2] = *first, last[3] = module->fault;
    }
    *last += module->add;
}

static void queue(struct stream *stream, const struct kernel *kernel) {
    if (stream->capture) stream->capture->kernels[stream->capture->count++] = *kernel;
    else run(kernel);
}

code cuLaunchKernel(void *function, unsigned x, unsigned y, unsigned z, unsigned bx, unsigned by, unsigned bz, unsigned shared,
                    void *stream, void **parameters, void **extra) {
    (void)shared; (void)extra;
    char about[64];
    snprintf(about, sizeof about, "%ux%ux%u of %ux%ux%u", x, y, z, bx, by, bz);
    CHECK(stream_called("kernel", stream, about));
    struct kernel kernel = { .module = function, .groups = { x, y, z }, .threads = bx };
    for (int i = 0; i < kernel.module->args && i < MOST; i++) kernel.args[i] = *(uint64_t *)parameters[i];
    queue(stream, &kernel);
    return 0;
}
code fake_work(void *stream, void (*work)(const void *), const void *about, size_t bytes) {
    struct kernel kernel = { .work = work };
    if (bytes > sizeof kernel.args) return 1;
    memcpy(kernel.args, about, bytes);
    queue(stream, &kernel);
    return 0;
}
code cuStreamBeginCapture_v2(void *stream, unsigned mode) {
    (void)mode;
    CHECK(stream_called("capture_begin", stream, ""));
    ((struct stream *)stream)->capture = calloc(1, sizeof(struct graph));
    return 0;
}
code cuStreamEndCapture(void *stream, void **graph) {
    struct stream *from = stream;
    struct graph *made = from->capture;
    from->capture = NULL;
    code answer = stream_called("capture_end", stream, "");
    if (answer) { free(made); return answer; }
    graphs++;
    *graph = made;
    return 0;
}
code cuGraphInstantiateWithFlags(void **executable, void *graph, unsigned long long flags) {
    (void)flags;
    CHECK(called("graph_instantiate", ""));
    executables++;
    *executable = malloc(sizeof(struct graph));
    memcpy(*executable, graph, sizeof(struct graph));
    return 0;
}
code cuGraphDestroy(void *graph) { graphs--; free(graph); return called("graph_destroy", ""); }
code cuGraphLaunch(void *executable, void *stream) {
    const struct graph *graph = executable;
    CHECK(stream_called("graph_launch", stream, ""));
    for (int i = 0; i < graph->count; i++) run(&graph->kernels[i]);
    return 0;
}
code cuGraphExecDestroy(void *executable) { executables--; free(executable); return called("executable_destroy", ""); }
