/* Convolutions that are computed by the host when the work of their queue runs. Calls are written to the log of the driver beside
 * it, which also says which of them fails.
 *
 * FAKE_DNN_VERSION      the version of CUDA that it says it was built for, 13000 unless set
 * FAKE_DNN_SCRATCH      the bytes that its algorithms need, 1000 unless set
 * FAKE_DNN_REPEATABLE   of each algorithm that it proposes, a digit: 1 where it gives the same bits every time; 1 unless set
 * FAKE_DNN_REFUSE       no convolution is supported
 *
 * At the end the log says what is left. */
#include "host.h"

enum { NOT_SUPPORTED = 3000, INVALID = 2000 };

/* Images and kernels: four extents each. */
struct array { unsigned type; int extents[4]; };
struct geometry { int padding[2], stride[2], dilation[2], groups; unsigned mode, compute, math; };
struct handle { void *stream; };
struct proposal { unsigned algorithm; code status; float time; size_t scratch; unsigned repeatable, math; int reserved[3]; };

static int handles, descriptors;

__attribute__((destructor)) static void end(void) { note_left(handles, descriptors); }

size_t cudnnGetVersion(void) { return 92600; }
size_t cudnnGetCudartVersion(void) { return number("FAKE_DNN_VERSION", 13000); }
const char *cudnnGetErrorString(code status) { return status == NOT_SUPPORTED ? "CUDNN_STATUS_NOT_SUPPORTED" : "CUDNN_STATUS_FAKE"; }
code cudnnCreate(void **made) { CHECK(called("dnn_create", "")); handles++; *made = calloc(1, sizeof(struct handle)); return 0; }
code cudnnDestroy(void *handle) { handles--; free(handle); return called("dnn_destroy", ""); }
code cudnnSetStream(struct handle *handle, void *stream) { CHECK(called("dnn_stream", "")); handle->stream = stream; return 0; }

static code create(void **made, size_t bytes) { CHECK(called("dnn_descriptor_create", "")); descriptors++; *made = calloc(1, bytes); return 0; }
static code destroy(void *made) { descriptors--; free(made); return called("dnn_descriptor_destroy", ""); }
code cudnnCreateTensorDescriptor(void **made) { return create(made, sizeof(struct array)); }
code cudnnCreateFilterDescriptor(void **made) { return create(made, sizeof(struct array)); }
code cudnnCreateConvolutionDescriptor(void **made) { return create(made, sizeof(struct geometry)); }
code cudnnDestroyTensorDescriptor(void *made) { return destroy(made); }
code cudnnDestroyFilterDescriptor(void *made) { return destroy(made); }
code cudnnDestroyConvolutionDescriptor(void *made) { return destroy(made); }

code cudnnSetTensor4dDescriptor(struct array *to, unsigned format, unsigned type, int n, int c, int h, int w) {
    CHECK(called("dnn_descriptor_set", ""));
    if (format != 0) return INVALID;
    *to = (struct array){ type, { n, c, h, w } };
    return 0;
}
code cudnnSetFilter4dDescriptor(struct array *to, unsigned type, unsigned format, int k, int c, int h, int w) {
    CHECK(called("dnn_descriptor_set", ""));
    if (format != 0) return INVALID;
    *to = (struct array){ type, { k, c, h, w } };
    return 0;
}
code cudnnSetConvolution2dDescriptor(struct geometry *to, int pad_h, int pad_w, int stride_h, int stride_w, int dilation_h, int dilation_w,
                                     unsigned mode, unsigned compute) {
    CHECK(called("dnn_descriptor_set", ""));
    *to = (struct geometry){ { pad_h, pad_w }, { stride_h, stride_w }, { dilation_h, dilation_w }, 1, mode, compute, 0 };
    return 0;
}
code cudnnSetConvolutionGroupCount(struct geometry *to, int groups) { CHECK(called("dnn_descriptor_set", "")); to->groups = groups; return 0; }
code cudnnSetConvolutionMathType(struct geometry *to, unsigned math) { CHECK(called("dnn_descriptor_set", "")); to->math = math; return 0; }

static int extent(const struct geometry *g, int axis, int input, int kernel) {
    return (input + 2 * g->padding[axis] - g->dilation[axis] * (kernel - 1) - 1) / g->stride[axis] + 1;
}
code cudnnGetConvolution2dForwardOutputDim(const struct geometry *g, const struct array *x, const struct array *w, int *n, int *c, int *h, int *q) {
    CHECK(called("dnn_extents", ""));
    *n = x->extents[0];
    *c = w->extents[0];
    *h = extent(g, 0, x->extents[2], w->extents[2]);
    *q = extent(g, 1, x->extents[3], w->extents[3]);
    return 0;
}

static int fits(const struct geometry *g, const struct array *x, const struct array *w, const struct array *y) {
    int same = x->type == w->type && x->type == y->type && g->mode == 1 && g->compute == F32;
    int channels = x->extents[1] == g->groups * w->extents[1] && w->extents[0] % g->groups == 0 && y->extents[1] == w->extents[0];
    int plain = x->type != F32 || g->math == 3 || g->math == 0;
    return same && channels && plain && x->extents[0] == y->extents[0] && y->extents[2] == extent(g, 0, x->extents[2], w->extents[2])
        && y->extents[3] == extent(g, 1, x->extents[3], w->extents[3]);
}

static code propose(const char *role, const struct array *x, const struct array *w, const struct geometry *g, const struct array *y, int most,
                    int *count, struct proposal *proposals) {
    char about[512];
    const int *a = x->extents, *b = w->extents, *c = y->extents;
    snprintf(about, sizeof about, "%s x=%dx%dx%dx%d w=%dx%dx%dx%d y=%dx%dx%dx%d padding=%d,%d stride=%d,%d dilation=%d,%d groups=%d math=%u",
             role, a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3], c[0], c[1], c[2], c[3], g->padding[0], g->padding[1], g->stride[0],
             g->stride[1], g->dilation[0], g->dilation[1], g->groups, g->math);
    CHECK(called("dnn_propose", about));
    *count = 0;
    if (getenv("FAKE_DNN_REFUSE")) return NOT_SUPPORTED;
    if (!fits(g, x, w, y)) return INVALID;
    const char *repeatable = getenv("FAKE_DNN_REPEATABLE");
    for (const char *each = repeatable ? repeatable : "1"; *each && *count < most; each++) {
        proposals[*count] = (struct proposal){ .algorithm = *count, .scratch = number("FAKE_DNN_SCRATCH", 1000), .repeatable = *each == '1', .math = g->math };
        (*count)++;
    }
    return 0;
}
code cudnnGetConvolutionForwardAlgorithm_v7(void *handle, struct array *x, struct array *w, struct geometry *g, struct array *y, int most, int *count,
                                            struct proposal *proposals) {
    (void)handle;
    return propose("output", x, w, g, y, most, count, proposals);
}
code cudnnGetConvolutionBackwardDataAlgorithm_v7(void *handle, struct array *w, struct array *dy, struct geometry *g, struct array *dx, int most,
                                                 int *count, struct proposal *proposals) {
    (void)handle;
    return propose("input_gradient", dx, w, g, dy, most, count, proposals);
}
code cudnnGetConvolutionBackwardFilterAlgorithm_v7(void *handle, struct array *x, struct array *dy, struct geometry *g, struct array *dw, int most,
                                                   int *count, struct proposal *proposals) {
    (void)handle;
    return propose("kernel_gradient", x, dw, g, dy, most, count, proposals);
}

/* Of the three, the one that is computed is `which`. */
struct work { int which; struct geometry geometry; struct array arrays[3]; uint64_t at[3], scratch, scratch_bytes; };

static size_t elements(const struct array *array) {
    return (size_t)array->extents[0] * array->extents[1] * array->extents[2] * array->extents[3];
}
static size_t element(const struct array *array, int a, int b, int c, int d) {
    return (((size_t)a * array->extents[1] + b) * array->extents[2] + c) * array->extents[3] + d;
}
static void convolve(const void *about) {
    const struct work *work = about;
    const struct geometry *g = &work->geometry;
    const struct array *x = &work->arrays[0], *w = &work->arrays[1], *y = &work->arrays[2];
    float *sums = calloc(elements(&work->arrays[work->which]), sizeof *sums);
    if (work->scratch_bytes) memset((void *)work->scratch, 0xff, work->scratch_bytes);
    for (int n = 0; n < y->extents[0]; n++) for (int o = 0; o < y->extents[1]; o++)
    for (int p = 0; p < y->extents[2]; p++) for (int q = 0; q < y->extents[3]; q++)
    for (int c = 0; c < w->extents[1]; c++) for (int r = 0; r < w->extents[2]; r++) for (int s = 0; s < w->extents[3]; s++) {
        int row = p * g->stride[0] - g->padding[0] + r * g->dilation[0], column = q * g->stride[1] - g->padding[1] + s * g->dilation[1];
        if (row < 0 || row >= x->extents[2] || column < 0 || column >= x->extents[3]) continue;
        int channel = o / (w->extents[0] / g->groups) * w->extents[1] + c;
        size_t at[3] = { element(x, n, channel, row, column), element(w, o, c, r, s), element(y, n, o, p, q) };
        int a = work->which == 0 ? 1 : 0, b = work->which == 2 ? 1 : 2;
        float *sum = &sums[at[work->which]];
        *sum = fmaf(get((void *)work->at[a], work->arrays[a].type, at[a]), get((void *)work->at[b], work->arrays[b].type, at[b]), *sum);
    }
    const struct array *to = &work->arrays[work->which];
    for (size_t i = 0; i < elements(to); i++) put((void *)work->at[work->which], to->type, i, sums[i]);
    free(sums);
}

static code run(struct handle *handle, const char *role, int which, const float *alpha, const struct array *x, uint64_t at_x, const struct array *w,
                uint64_t at_w, const struct geometry *g, const struct array *y, uint64_t at_y, uint64_t scratch, size_t bytes, const float *beta) {
    CHECK(called("dnn_convolve", role));
    if (*alpha != 1 || *beta != 0 || !fits(g, x, w, y) || bytes < (size_t)number("FAKE_DNN_SCRATCH", 1000)) return INVALID;
    struct work work = { which, *g, { *x, *w, *y }, { at_x, at_w, at_y }, scratch, bytes };
    return queue(handle->stream, convolve, &work, sizeof work);
}
code cudnnConvolutionForward(struct handle *handle, const float *alpha, struct array *x, uint64_t at_x, struct array *w, uint64_t at_w,
                             struct geometry *g, unsigned algorithm, uint64_t scratch, size_t bytes, const float *beta, struct array *y,
                             uint64_t at_y) {
    (void)algorithm;
    return run(handle, "output", 2, alpha, x, at_x, w, at_w, g, y, at_y, scratch, bytes, beta);
}
code cudnnConvolutionBackwardData(struct handle *handle, const float *alpha, struct array *w, uint64_t at_w, struct array *dy, uint64_t at_dy,
                                  struct geometry *g, unsigned algorithm, uint64_t scratch, size_t bytes, const float *beta, struct array *dx,
                                  uint64_t at_dx) {
    (void)algorithm;
    return run(handle, "input_gradient", 0, alpha, dx, at_dx, w, at_w, g, dy, at_dy, scratch, bytes, beta);
}
code cudnnConvolutionBackwardFilter(struct handle *handle, const float *alpha, struct array *x, uint64_t at_x, struct array *dy, uint64_t at_dy,
                                    struct geometry *g, unsigned algorithm, uint64_t scratch, size_t bytes, const float *beta, struct array *dw,
                                    uint64_t at_dw) {
    (void)algorithm;
    return run(handle, "kernel_gradient", 1, alpha, x, at_x, dw, at_dw, g, dy, at_dy, scratch, bytes, beta);
}
