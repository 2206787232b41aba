/* A compiler whose code is its source. A source with "reject" in it is rejected.
 *
 * FAKE_LOG             the file that compilations are appended to
 * FAKE_NVRTC_VERSION   its major version, 13 unless set */
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
unsigned nvrtcCreateProgram(void **program, const char *source, const char *name, int count, const char *const *headers,
                            const char *const *names) {
    (void)name; (void)count; (void)headers; (void)names;
    *program = strdup(source);
    return 0;
}
unsigned nvrtcDestroyProgram(void **program) { free(*program); *program = NULL; return 0; }
unsigned nvrtcCompileProgram(void *program, int count, const char *const *options) {
    FILE *file = getenv("FAKE_LOG") ? fopen(getenv("FAKE_LOG"), "a") : NULL;
    if (file) {
        char line[512] = "compile";
        for (int i = 0; i < count; i++) strncat(strcat(line, " "), options[i], 200);
        fprintf(file, "%s\n", line);
        fclose(file);
    }
    return strstr(program, "reject") ? 6 : 0;
}
unsigned nvrtcGetProgramLogSize(void *program, size_t *size) { *size = strstr(program, "reject") ? strlen(message) + 1 : 1; return 0; }
unsigned nvrtcGetProgramLog(void *program, char *log) { strcpy(log, strstr(program, "reject") ? message : ""); return 0; }
unsigned nvrtcGetCUBINSize(void *program, size_t *size) { *size = strlen(program) + 1; return 0; }
unsigned nvrtcGetCUBIN(void *program, char *cubin) { strcpy(cubin, program); return 0; }
