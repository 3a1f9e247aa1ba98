/* The C interface: one call on one [1, 2, 3] tensor.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "haline/haline.h"

int main(void) {
  float x[] = {1, 2, 3, 10, 20, 60};
  float y[6];
  int64_t shape[] = {1, 2, 3};
  haline_tensor tx = {x, {HALINE_CPU, 0}, 3, {HALINE_FLOAT, 32, 1}, shape, NULL, 0};
  haline_tensor ty = tx;
  int i;

  ty.data = y;
  if (haline_instance_norm(&tx, NULL, NULL, &ty, NULL) != HALINE_OK) {
    fprintf(stderr, "%s\n", haline_error_message());
    return 1;
  }
  for (i = 0; i < 6; i++) printf("%.4f%c", y[i], i % 3 == 2 ? '\n' : ' ');
  return 0;
}
