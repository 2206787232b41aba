/* NVIDIA's management library without a GPU. FOLDER is a folder of the test's that made it:
 *
 * millijoules     what the energy counter says
 * reasons         the bits of what holds clocks back
 * refused         lines "function code": what that function answers
 * log             every call is appended here
 *
 * It knows the whole GPU UUID at 0000:65:00.0, and a slice of it, 5ed2c9a4-….
 * WITHOUT_ENERGY leaves the counter's function out, OLD has the older name of what holds clocks back. */
#include <stdio.h>
#include <string.h>

#ifndef UUID
#define UUID "b2f5f1b6-0c9d-4d1c-8f4e-4a1f6e0f7a11"
#endif

typedef unsigned code;
enum { NOT_SUPPORTED = 3, NOT_FOUND = 6, UNINITIALIZED = 1, INVALID = 2 };

static int started;
static char whole, slice;

static code called(const char *name) {
    FILE *log = fopen(FOLDER "/log", "a");
    if (log) {
        fprintf(log, "%s\n", name);
        fclose(log);
    }
    code answer = started || !strcmp(name, "nvmlInit_v2") ? 0 : UNINITIALIZED;
    FILE *refused = fopen(FOLDER "/refused", "r");
    if (!refused) return answer;
    char function[128];
    code refusal;
    while (fscanf(refused, "%127s %u", function, &refusal) == 2)
        if (!strcmp(function, name)) answer = refusal;
    fclose(refused);
    return answer;
}

static unsigned long long number(const char *path) {
    unsigned long long value = 0;
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    if (fscanf(file, "%llu", &value) != 1) value = 0;
    fclose(file);
    return value;
}

#define CALLED do { code answer = called(__func__); if (answer) return answer; } while (0)
#define WHOLE do { CALLED; if (gpu != &whole) return gpu == &slice ? NOT_SUPPORTED : INVALID; } while (0)

code nvmlInit_v2(void) { CALLED; started++; return 0; }
code nvmlShutdown(void) { CALLED; started--; return 0; }
const char *nvmlErrorString(code answer) {
    return answer == NOT_SUPPORTED ? "Not Supported" : answer == NOT_FOUND ? "Not Found" : answer == 15 ? "GPU is lost" : "Unknown Error";
}
code nvmlSystemGetDriverVersion(char *text, unsigned length) { CALLED; snprintf(text, length, "580.65.06"); return 0; }
code nvmlDeviceGetHandleByUUID(const char *uuid, void **gpu) {
    CALLED;
    if (!strcmp(uuid, "GPU-" UUID)) *gpu = &whole;
    else if (!strcmp(uuid, "MIG-5ed2c9a4-1f0b-5b0e-9a3c-77c1d2e3f405")) *gpu = &slice;
    else return NOT_FOUND;
    return 0;
}
code nvmlDeviceGetHandleByPciBusId_v2(const char *place, void **gpu) {
    CALLED;
    if (strcmp(place, "0000:65:00.0")) return NOT_FOUND;
    *gpu = &whole;
    return 0;
}
#ifndef WITHOUT_ENERGY
code nvmlDeviceGetTotalEnergyConsumption(void *gpu, unsigned long long *millijoules) { WHOLE; *millijoules = number(FOLDER "/millijoules"); return 0; }
#endif
#ifdef OLD
code nvmlDeviceGetCurrentClocksThrottleReasons(void *gpu, unsigned long long *reasons) { WHOLE; *reasons = number(FOLDER "/reasons"); return 0; }
#else
code nvmlDeviceGetCurrentClocksEventReasons(void *gpu, unsigned long long *reasons) { WHOLE; *reasons = number(FOLDER "/reasons"); return 0; }
#endif
code nvmlDeviceGetPowerUsage(void *gpu, unsigned *milliwatts) { WHOLE; *milliwatts = 71500; return 0; }
code nvmlDeviceGetEnforcedPowerLimit(void *gpu, unsigned *milliwatts) { WHOLE; *milliwatts = 700000; return 0; }
code nvmlDeviceGetTemperature(void *gpu, unsigned sensor, unsigned *degrees) { WHOLE; if (sensor) return INVALID; *degrees = 41; return 0; }
code nvmlDeviceGetEccMode(void *gpu, unsigned *now, unsigned *after) { WHOLE; *now = 1; *after = 0; return 0; }
code nvmlDeviceGetTotalEccErrors(void *gpu, unsigned type, unsigned since, unsigned long long *count) {
    WHOLE;
    *count = 100 * type + 10 * since + 7;
    return 0;
}
