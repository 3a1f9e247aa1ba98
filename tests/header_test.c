/* haline.h alone, in C99: it needs nothing before it, and a C program can use all of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "haline/haline.h"

int main(void) {
  float data[] = {1.f, 3.f, 2.f, 2.f}, result[4] = {9.f, 9.f, 9.f, 9.f};
  int64_t shape[] = {1, 2, 2};
  haline_options options = HALINE_OPTIONS_INIT;
  haline_backend backend = {sizeof(haline_backend), NULL, NULL, 0, 0, NULL, 0};
  haline_tensor x = {data, {HALINE_CPU, 0}, 3, {HALINE_FLOAT, 32, 1}, shape, NULL, 0}, y = x;
  y.data = result;
  options.eps = 0;
  if (haline_instance_norm(&x, NULL, NULL, &y, &options) != HALINE_OK) return 1;
  if (result[0] != -1.f || result[1] != 1.f || result[2] != 0.f || result[3] != 0.f) return 2;
  if (haline_backend_at(0, &backend) != HALINE_OK || backend.name == NULL) return 3;
  if (haline_backend_at(99, &backend) != HALINE_INVALID_ARGUMENT || haline_error_message()[0] == '\0') return 4;
  return haline_version()[0] == '\0' || haline_last_target()[0] == '\0' ? 5 : 0;
}
