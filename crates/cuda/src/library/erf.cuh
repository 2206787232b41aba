// An odd polynomial near zero, 1 - e^p(|x|) beyond. Largest error 1.012 ulp.
__device__ inline f32 erf_f32(f32 x) {
    // erf(x) / x - 1 in x^2, relative to erf(x) / x within 2^-30.
    const f32 small[] = {0.12837917f, -0.3761263f, 0.11283626f, -0.026855731f, 0.005192405f, -0.00080497697f, 7.99665e-5f};
    const f32 near = fmaf(polynomial(x * x, small), x, x);
    const f32 magnitude = fabsf(x);
    // erf 4 rounds to 1; a NaN passes.
    const f32 t = magnitude > 4.0f ? 4.0f : magnitude;
    // ln(1 - erf t) / t + 1.
    const f32 large[] = {-0.12864852f, -0.6351512f, -0.10623704f, 0.023762183f, -0.0036425057f, 0.00032281235f, -1.1231786e-5f};
    const f32 far = 1.0f - exp_normal(fmaf(polynomial(t, large), t, -t));
    return magnitude < 0.925f ? near : copysignf(far, x);
}
