/* Banded DTW of P pixels to R references by hand: 4 x 8 pixels in flight, one row kept in L1.
 * q (T, P), s (R, T), limits (T, 2), out (R, P); P a multiple of 32, row 32 * T floats. */
#include <immintrin.h>
#include <math.h>

void dtw_avx2(const float *q, const float *s, const int *limits, long T, long P, long R,
              float *row, float *out)
{
    const __m256 far = _mm256_set1_ps(INFINITY);
    for (long p = 0; p < P; p += 32)
        for (long r = 0; r < R; r++) {
            __m256 left[4];
            for (long i = 0; i < T; i++) {
                int first = limits[2 * i], end = limits[2 * i + 1], seen = i ? limits[2 * i - 1] : 0;
                __m256 diagonal[4], here[4];
                for (int v = 0; v < 4; v++) {
                    here[v] = _mm256_loadu_ps(q + i * P + p + 8 * v);
                    left[v] = far;
                    diagonal[v] = i == 0 ? _mm256_setzero_ps()
                                : first > limits[2 * i - 2] ? _mm256_load_ps(row + 32 * (first - 1) + 8 * v)
                                : far;
                }
                for (int j = first; j < end; j++) {
                    __m256 reference = _mm256_broadcast_ss(s + r * T + j);
                    for (int v = 0; v < 4; v++) {
                        __m256 up = j < seen ? _mm256_load_ps(row + 32 * j + 8 * v) : far;
                        __m256 step = _mm256_sub_ps(here[v], reference);
                        __m256 best = _mm256_min_ps(_mm256_min_ps(diagonal[v], up), left[v]);
                        left[v] = _mm256_fmadd_ps(step, step, best);
                        diagonal[v] = up;
                        _mm256_store_ps(row + 32 * j + 8 * v, left[v]);
                    }
                }
            }
            for (int v = 0; v < 4; v++)
                _mm256_storeu_ps(out + r * P + p + 8 * v, _mm256_sqrt_ps(left[v]));
        }
}
