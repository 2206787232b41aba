/* A compiler whose code is its source, or, where it is told how, a library of the host that the driver beside it runs. A source
 * with "reject" in it is rejected.
 *
 * FAKE_EMULATION       the header with which a C++ compiler reads kernels
 * FAKE_KERNELS         the folder for what it makes of them
 * FAKE_LOG             the file that compilations are appended to
 * FAKE_NVRTC_VERSION   its major version, 13 unless set */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *message = "kernel(2): error: this is rejected";
static int architectures[] = { 75, 80, 86, 89, 90, 100 };

unsigned nvrtcVersion(int *major, int *minor) {
    const char *text = getenv("FAKE_NVRTC_VERSION");
    *major = text ? atoi(text) : 13;
    *minor = 0;
    return 0;
}
unsigned nvrtcGetNumSupportedArchs(int *count) { *count = 6; return 0; }
unsigned nvrtcGetSupportedArchs(int *list) { memcpy(list, architectures, sizeof architectures); return 0; }
const char *nvrtcGetErrorString(unsigned code) { return code == 6 ? "NVRTC_ERROR_COMPILATION" : "NVRTC_ERROR_FAKE"; }
/* The text with which crates/emulate runs one kernel. */
static const char *text =
    "#include \"%s\"\n#define __shared__ static __attribute__((section(\"shared0\")))\n#define kernel_main kernel0\n"
    "namespace kernel_of_0 {\n%s\n}\n#undef kernel_main\n#undef __shared__\nextern \"C\" {\n"
    "extern char __start_shared0[] __attribute__((weak, visibility(\"hidden\")));\n"
    "extern char __stop_shared0[] __attribute__((weak, visibility(\"hidden\")));\n"
    "const char *launch0(void *const *arguments, const unsigned *groups, unsigned threads, unsigned long long seed) {\n"
    "return emulation::run({emulation::Kernel<kernel_of_0::warploom::kernel0>::call, arguments, {groups[0], groups[1], groups[2]}, "
    "threads, %d, __start_shared0, size_t(__stop_shared0 - __start_shared0), seed});\n}\n}\n";

struct program { char *source; char code[1 << 20]; };

/* Leaves what the driver needs to run the kernel as its code. */
static unsigned emulated(struct program *program, const char *header, const char *folder) {
    static atomic_int count;
    char path[512], command[2048];
    snprintf(path, sizeof path, "%s/kernel%d", folder, atomic_fetch_add(&count, 1));
    snprintf(command, sizeof command,
             "g++ -x c++ -std=c++17 -O1 -march=native -ffp-contract=off -fno-strict-aliasing -U_FORTIFY_SOURCE -w -shared -fPIC "
             "-o %s.so - >%s.log 2>&1", path, path);
    FILE *compiler = popen(command, "w");
    if (!compiler) return 6;
    int waits = strstr(program->source, "__sync") || strstr(program->source, "_sync(") || strstr(program->source, "emulation::");
    fprintf(compiler, text, header, program->source, waits);
    if (pclose(compiler) != 0) return 6;
    const char *at = strstr(program->source, "__global__");
    at = at ? strstr(at, " kernel_main(") : NULL;
    int args = at && strchr(at, '*') && strchr(at, '*') < strchr(at, ')');
    for (; at && *at != ')'; at++) args += *at == ',';
    snprintf(program->code, sizeof program->code, "library=%s.so args=%d", path, args);
    return 0;
}

unsigned nvrtcCreateProgram(void **program, const char *source, const char *name, int count, const char *const *headers,
                            const char *const *names) {
    (void)name; (void)count; (void)headers; (void)names;
    struct program *made = calloc(1, sizeof *made);
    made->source = strdup(source);
    snprintf(made->code, sizeof made->code, "%s", source);
    *program = made;
    return 0;
}
unsigned nvrtcDestroyProgram(struct program **program) { free((*program)->source); free(*program); *program = NULL; return 0; }
unsigned nvrtcCompileProgram(struct program *program, int count, const char *const *options) {
    FILE *file = getenv("FAKE_LOG") ? fopen(getenv("FAKE_LOG"), "a") : NULL;
    if (file) {
        char line[512] = "compile";
        for (int i = 0; i < count; i++) strncat(strcat(line, " "), options[i], 200);
        fprintf(file, "%s\n", line);
        fclose(file);
    }
    if (getenv("FAKE_EMULATION")) return emulated(program, getenv("FAKE_EMULATION"), getenv("FAKE_KERNELS"));
    return strstr(program->source, "reject") ? 6 : 0;
}
static const char *log_of(struct program *program) { return strstr(program->source, "reject") ? message : ""; }
unsigned nvrtcGetProgramLogSize(struct program *program, size_t *size) { *size = strlen(log_of(program)) + 1; return 0; }
unsigned nvrtcGetProgramLog(struct program *program, char *log) { strcpy(log, log_of(program)); return 0; }
unsigned nvrtcGetCUBINSize(struct program *program, size_t *size) { *size = strlen(program->code) + 1; return 0; }
unsigned nvrtcGetCUBIN(struct program *program, char *cubin) { strcpy(cubin, program->code); return 0; }
