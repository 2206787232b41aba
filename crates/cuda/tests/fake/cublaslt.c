/* Matrix products that are computed by the host when the work of their queue runs. Calls are written to the log of the driver
 * beside it, which also says which of them fails.
 *
 * FAKE_LT_VERSION   the version of CUDA that it says it was built for, 13000 unless set
 * FAKE_LT_SCRATCH   the bytes that its algorithms need, 1000 unless set
 * FAKE_LT_SCHEMES   the reduction schemes of the algorithms that it proposes, a digit each, 0 unless set
 * FAKE_LT_REFUSE    "all" products are not supported, or those with an "epilogue"
 *
 * At the end the log says what is left. */
#include "host.h"

enum { BF16 = 14, NOT_SUPPORTED = 15, INVALID = 7 };

struct multiplier { unsigned compute, scale; int turned[2]; unsigned epilogue; uint64_t bias; };
struct layout { unsigned type; uint64_t rows, columns; int64_t leading; int count; int64_t stride; };
struct preference { uint64_t scratch; unsigned schemes, alignment[4]; };
struct algorithm { uint64_t magic, scheme, scratch, alignment[4], unused; };
struct proposal { struct algorithm algorithm; size_t scratch; code status; float waves; int reserved[4]; };

static int handles, descriptors;
static const uint64_t magic = 0x6d61747269636573;

__attribute__((destructor)) static void end(void) {
    note_left(handles, descriptors);
}

size_t cublasLtGetVersion(void) { return 130100; }
size_t cublasLtGetCudartVersion(void) { return number("FAKE_LT_VERSION", 13000); }
const char *cublasLtGetStatusName(code status) { return status == NOT_SUPPORTED ? "CUBLAS_STATUS_NOT_SUPPORTED" : "CUBLAS_STATUS_FAKE"; }
const char *cublasLtGetStatusString(code status) { (void)status; return "the fake library's reason"; }
code cublasLtCreate(void **handle) { CHECK(called("lt_create", "")); handles++; *handle = &handles; return 0; }
code cublasLtDestroy(void *handle) { (void)handle; handles--; return called("lt_destroy", ""); }

code cublasLtMatmulDescCreate(void **made, unsigned compute, unsigned scale) {
    CHECK(called("lt_multiplier_create", ""));
    struct multiplier *multiplier = calloc(1, sizeof *multiplier);
    *multiplier = (struct multiplier){ .compute = compute, .scale = scale, .epilogue = 1 };
    descriptors++;
    *made = multiplier;
    return 0;
}
static code destroyed(void *made, const char *name) { descriptors--; free(made); return called(name, ""); }
code cublasLtMatmulDescDestroy(void *made) { return destroyed(made, "lt_multiplier_destroy"); }
code cublasLtMatrixLayoutDestroy(void *made) { return destroyed(made, "lt_layout_destroy"); }
code cublasLtMatmulPreferenceDestroy(void *made) { return destroyed(made, "lt_preference_destroy"); }

static code set(void *to, const void *value, size_t bytes, size_t expected) {
    if (bytes != expected) return INVALID;
    memcpy(to, value, bytes);
    return 0;
}
code cublasLtMatmulDescSetAttribute(struct multiplier *to, unsigned attribute, const void *value, size_t bytes) {
    CHECK(called("lt_multiplier_set", ""));
    switch (attribute) {
    case 3: return set(&to->turned[0], value, bytes, 4);
    case 4: return set(&to->turned[1], value, bytes, 4);
    case 7: return set(&to->epilogue, value, bytes, 4);
    case 8: return set(&to->bias, value, bytes, 8);
    default: return INVALID;
    }
}
code cublasLtMatrixLayoutCreate(void **made, unsigned type, uint64_t rows, uint64_t columns, int64_t leading) {
    CHECK(called("lt_layout_create", ""));
    struct layout *layout = calloc(1, sizeof *layout);
    *layout = (struct layout){ type, rows, columns, leading, 1, 0 };
    descriptors++;
    *made = layout;
    return 0;
}
code cublasLtMatrixLayoutSetAttribute(struct layout *to, unsigned attribute, const void *value, size_t bytes) {
    CHECK(called("lt_layout_set", ""));
    switch (attribute) {
    case 5: return set(&to->count, value, bytes, 4);
    case 6: return set(&to->stride, value, bytes, 8);
    default: return INVALID;
    }
}
code cublasLtMatmulPreferenceCreate(void **made) {
    CHECK(called("lt_preference_create", ""));
    struct preference *preference = calloc(1, sizeof *preference);
    *preference = (struct preference){ 0, 7, { 256, 256, 256, 256 } };
    descriptors++;
    *made = preference;
    return 0;
}
code cublasLtMatmulPreferenceSetAttribute(struct preference *to, unsigned attribute, const void *value, size_t bytes) {
    CHECK(called("lt_preference_set", ""));
    switch (attribute) {
    case 1: return set(&to->scratch, value, bytes, 8);
    case 3: return set(&to->schemes, value, bytes, 4);
    case 5: case 6: case 7: case 8: return set(&to->alignment[attribute - 5], value, bytes, 4);
    default: return INVALID;
    }
}

static const char *type_name(unsigned type) { return type == F32 ? "f32" : type == F16 ? "f16" : type == BF16 ? "bf16" : "?"; }
static int write_layout(char *to, const char *name, const struct layout *layout) {
    return sprintf(to, "%s=%s %lux%lu/%ld x%d+%ld ", name, type_name(layout->type), layout->rows, layout->columns, layout->leading,
                   layout->count, layout->stride);
}

/* Whether the extents fit each other, as the library's documentation of its matrices has it. */
static int fits(const struct multiplier *multiplier, const struct layout *a, const struct layout *b, const struct layout *d) {
    uint64_t a_rows = multiplier->turned[0] ? a->columns : a->rows, a_columns = multiplier->turned[0] ? a->rows : a->columns;
    uint64_t b_rows = multiplier->turned[1] ? b->columns : b->rows, b_columns = multiplier->turned[1] ? b->rows : b->columns;
    int within = a->leading >= (int64_t)a->rows && b->leading >= (int64_t)b->rows && d->leading >= (int64_t)d->rows;
    int types = a->type == b->type && (d->type == a->type || d->type == F32);
    return within && types && a_rows == d->rows && a_columns == b_rows && b_columns == d->columns && a->count == d->count
        && b->count == d->count && (multiplier->compute == 68 || (multiplier->compute == 77 && a->type == F32)) && multiplier->scale == F32 && d->stride >= 0;
}

code cublasLtMatmulAlgoGetHeuristic(void *handle, struct multiplier *multiplier, struct layout *a, struct layout *b, struct layout *c,
                                    struct layout *d, struct preference *preference, int most, struct proposal *proposals, int *count) {
    char about[1024], *at = about;
    (void)handle; (void)c;
    at += write_layout(at, multiplier->turned[0] ? "At" : "A", a);
    at += write_layout(at, multiplier->turned[1] ? "Bt" : "B", b);
    at += write_layout(at, "D", d);
    sprintf(at, "compute=%u epilogue=%u bias%%%lu scratch<=%lu schemes=%u aligned=%u,%u,%u,%u", multiplier->compute, multiplier->epilogue,
            multiplier->bias, preference->scratch, preference->schemes, preference->alignment[0], preference->alignment[1], preference->alignment[2],
            preference->alignment[3]);
    CHECK(called("lt_propose", about));
    const char *refuse = getenv("FAKE_LT_REFUSE"), *schemes = getenv("FAKE_LT_SCHEMES");
    *count = 0;
    if (refuse && (!strcmp(refuse, "all") || multiplier->epilogue != 1)) return NOT_SUPPORTED;
    if (!fits(multiplier, a, b, d)) return INVALID;
    for (const char *scheme = schemes ? schemes : "0"; *scheme && *count < most; scheme++) {
        struct proposal *proposal = &proposals[(*count)++];
        memset(proposal, 0, sizeof *proposal);
        proposal->scratch = number("FAKE_LT_SCRATCH", 1000);
        proposal->algorithm = (struct algorithm){ magic, *scheme - '0', proposal->scratch, { 0 }, 0 };
        for (int i = 0; i < 4; i++) proposal->algorithm.alignment[i] = preference->alignment[i];
    }
    return 0;
}
code cublasLtMatmulAlgoConfigGetAttribute(const struct algorithm *algorithm, unsigned attribute, void *value, size_t bytes, size_t *written) {
    CHECK(called("lt_algorithm_get", ""));
    if (algorithm->magic != magic || attribute != 3 || bytes != 4) return INVALID;
    unsigned scheme = algorithm->scheme;
    memcpy(value, &scheme, 4);
    *written = 4;
    return 0;
}

struct work { struct multiplier multiplier; struct layout a, b, d; uint64_t at_a, at_b, at_d, scratch, scratch_bytes; };

static int64_t element(const struct layout *layout, int turned, int64_t product, int64_t row, int64_t column) {
    return product * layout->stride + (turned ? column + row * layout->leading : row + column * layout->leading);
}
static void multiply(const void *about) {
    const struct work *work = about;
    const struct multiplier *m = &work->multiplier;
    uint64_t terms = m->turned[0] ? work->a.rows : work->a.columns;
    if (work->scratch_bytes) memset((void *)work->scratch, 0xff, work->scratch_bytes);
    for (int product = 0; product < work->d.count; product++)
        for (uint64_t column = 0; column < work->d.columns; column++)
            for (uint64_t row = 0; row < work->d.rows; row++) {
                float sum = 0;
                for (uint64_t term = 0; term < terms; term++)
                    sum = fmaf(get((void *)work->at_a, work->a.type, element(&work->a, m->turned[0], product, row, term)),
                               get((void *)work->at_b, work->b.type, element(&work->b, m->turned[1], product, term, column)), sum);
                if (m->epilogue & 4) sum += get((void *)m->bias, work->d.type, row);
                if (m->epilogue & 2) sum = sum < 0 ? 0 : sum;
                put((void *)work->at_d, work->d.type, element(&work->d, 0, product, row, column), sum);
            }
}

code cublasLtMatmul(void *handle, struct multiplier *multiplier, const float *alpha, uint64_t at_a, struct layout *a, uint64_t at_b,
                    struct layout *b, const float *beta, uint64_t at_c, struct layout *c, uint64_t at_d, struct layout *d,
                    const struct algorithm *algorithm, uint64_t scratch, size_t scratch_bytes, void *stream) {
    (void)handle; (void)c;
    CHECK(called("lt_multiply", ""));
    const uint64_t addresses[] = { at_a, at_b, at_c, at_d };
    for (int i = 0; i < 4; i++) if (addresses[i] % algorithm->alignment[i]) return INVALID;
    if (algorithm->magic != magic || scratch_bytes < algorithm->scratch || (scratch_bytes && scratch % 256)) return INVALID;
    if (*alpha != 1 || *beta != 0 || !fits(multiplier, a, b, d)) return INVALID;
    struct work work = { *multiplier, *a, *b, *d, at_a, at_b, at_d, scratch, scratch_bytes };
    return queue(stream, multiply, &work, sizeof work);
}
