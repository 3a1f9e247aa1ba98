// haline_tensor is DLPack's DLTensor, member for member, so that one may be passed for the other.
//
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cstddef>

#include "haline/haline.h"

#if __has_include(<dlpack/dlpack.h>)
#include <dlpack/dlpack.h>

#define HALINE_SAME_MEMBER(ours, our_member, theirs, their_member)              \
  static_assert(offsetof(ours, our_member) == offsetof(theirs, their_member) && \
                sizeof(decltype(ours::our_member)) == sizeof(decltype(theirs::their_member)))

static_assert(sizeof(haline_tensor) == sizeof(DLTensor));
static_assert(alignof(haline_tensor) == alignof(DLTensor));  // NOLINT(misc-redundant-expression)
static_assert(sizeof(haline_device) == sizeof(DLDevice));
static_assert(sizeof(haline_dtype) == sizeof(DLDataType));
HALINE_SAME_MEMBER(haline_tensor, data, DLTensor, data);
HALINE_SAME_MEMBER(haline_tensor, device, DLTensor, device);
HALINE_SAME_MEMBER(haline_tensor, ndim, DLTensor, ndim);
HALINE_SAME_MEMBER(haline_tensor, dtype, DLTensor, dtype);
HALINE_SAME_MEMBER(haline_tensor, shape, DLTensor, shape);
HALINE_SAME_MEMBER(haline_tensor, strides, DLTensor, strides);
HALINE_SAME_MEMBER(haline_tensor, byte_offset, DLTensor, byte_offset);
HALINE_SAME_MEMBER(haline_device, type, DLDevice, device_type);
HALINE_SAME_MEMBER(haline_device, id, DLDevice, device_id);
HALINE_SAME_MEMBER(haline_dtype, code, DLDataType, code);
HALINE_SAME_MEMBER(haline_dtype, bits, DLDataType, bits);
HALINE_SAME_MEMBER(haline_dtype, lanes, DLDataType, lanes);
static_assert(static_cast<int>(HALINE_CPU) == static_cast<int>(kDLCPU));
static_assert(static_cast<int>(HALINE_INT) == static_cast<int>(kDLInt));
static_assert(static_cast<int>(HALINE_UINT) == static_cast<int>(kDLUInt));
static_assert(static_cast<int>(HALINE_FLOAT) == static_cast<int>(kDLFloat));

TEST(LayoutTest, ADLTensorMayBePassed) {
  float data[] = {1.f, 3.f, 5.f, 5.f}, result[4] = {};
  int64_t shape[] = {1, 2, 2};
  DLTensor x = {}, y = {};
  x.data = data;
  x.device = {kDLCPU, 0};
  x.ndim = 3;
  x.dtype = {kDLFloat, 32, 1};
  x.shape = shape;
  y = x;
  y.data = result;
  ASSERT_EQ(haline_instance_norm(reinterpret_cast<haline_tensor *>(&x), nullptr, nullptr,
                                 reinterpret_cast<haline_tensor *>(&y), nullptr),
            HALINE_OK)
      << haline_error_message();
  EXPECT_NEAR(result[0], -1, 1e-5);
  EXPECT_NEAR(result[1], 1, 1e-5);
  EXPECT_EQ(result[2], 0);
}
#else
TEST(LayoutTest, ADLTensorMayBePassed) { GTEST_SKIP() << "dlpack/dlpack.h is not installed (Debian: libdlpack-dev)"; }
#endif
