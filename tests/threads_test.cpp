// Threads: how many a call may use, many calls at the same time, and messages that belong to one thread.
//
// SPDX-License-Identifier: MIT
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <thread>

#include "support/backends.h"
#include "support/random.h"
#include "support/status.h"

namespace haline::test {
namespace {

TEST(ThreadsTest, NumberOfThreads) {
  const int32_t automatic = haline_num_threads();
  EXPECT_GE(automatic, 1);
  EXPECT_LE(automatic, 1024);
  for (const int32_t threads : {1, 2, 1024}) {
    EXPECT_EQ(haline_set_num_threads(threads), HALINE_OK);
    EXPECT_EQ(haline_num_threads(), threads);
  }
  for (const int32_t threads : {-1, 1025, INT32_MIN, INT32_MAX}) {
    ExpectFailure(haline_set_num_threads(threads), HALINE_INVALID_ARGUMENT,
                  {"threads: " + std::to_string(threads) + " found", "1024 wanted"});
    EXPECT_EQ(haline_num_threads(), 1024);
  }
  EXPECT_EQ(haline_set_num_threads(0), HALINE_OK);
  EXPECT_EQ(haline_num_threads(), automatic);
}

TEST(ThreadsTest, AMessageBelongsToItsThread) {
  haline_backend backend = {};
  backend.size = sizeof(backend);
  ASSERT_NE(haline_backend_at(-5, &backend), HALINE_OK);
  std::string at_first = "?", after;
  std::thread other([&] {
    at_first = haline_error_message();
    haline_set_num_threads(5000);
    after = haline_error_message();
  });
  other.join();
  EXPECT_EQ(at_first, "");
  EXPECT_NE(after.find("threads: 5000"), std::string::npos) << after;
  EXPECT_NE(std::string(haline_error_message()).find("index: -5"), std::string::npos) << haline_error_message();
}

// Every thread has its own back end, shape and number of threads, and gets its own bytes each time.
TEST(ThreadsTest, ManyCallsAtOnce) {
  constexpr int kThreads = 8, kRounds = 25;
  const std::vector<std::string> backends = RunnableBackends();
  ASSERT_EQ(haline_set_num_threads(3), HALINE_OK);
  const std::vector<Shape> shapes = {{16, 64, 100}, {1, 1, 300000}, {64, 64, 16}, {4, 4, 30}};
  std::vector<Case> cases;
  std::vector<std::vector<float>> wanted;
  for (const Shape &shape : shapes) {
    cases.push_back({"normal", shape, Normals(Count(shape), 1 + cases.size())});
    wanted.push_back(test::Run(cases.back(), backends.front()));
  }
  std::atomic<int> wrong{0}, calls{0};
  std::barrier start(kThreads);
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; i++) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      for (int round = 0; round < kRounds; round++) {
        const size_t which = static_cast<size_t>(i + round) % cases.size();
        const std::string &backend = backends[static_cast<size_t>(i) % backends.size()];
        try {
          const std::vector<float> y = test::Run(cases[which], backend);
          const bool same = FirstDifference(y.data(), wanted[which].data(), static_cast<int64_t>(y.size())) < 0;
          if (!same || !IsTargetOf(haline_last_target(), backend)) wrong++;
        } catch (const std::exception &) {
          wrong++;
        }
        calls++;
      }
    });
  }
  for (std::thread &thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(calls, kThreads * kRounds);
  haline_set_num_threads(0);
}

// Settings may change while calls run; each call takes one or the other.
TEST(ThreadsTest, SettingsChangeWhileCallsRun) {
  const std::vector<std::string> backends = RunnableBackends();
  const Case c{"normal", {8, 64, 256}, Normals(int64_t{8} * 64 * 256, 9)};
  OwnedTensor x({8, 64, 256}, 0.f);
  x.values = c.x;
  x.t.data = x.values.data();
  const std::vector<float> wanted = test::Run(c, backends.front());
  std::atomic<bool> stop{false};
  std::thread changer([&] {
    for (int i = 0; !stop; i++) {
      haline_set_backend(backends[static_cast<size_t>(i) % backends.size()].c_str());
      haline_set_num_threads(1 + i % 4);
    }
  });
  for (int i = 0; i < 50; i++) {
    OwnedTensor y({8, 64, 256}, 0.f);
    ASSERT_EQ(haline_instance_norm(&x.t, nullptr, nullptr, &y.t, nullptr), HALINE_OK) << haline_error_message();
    EXPECT_EQ(y.values, wanted);
  }
  stop = true;
  changer.join();
  haline_set_backend(nullptr);
  haline_set_num_threads(0);
}

// Threads that sleep, look out for work, or are not there yet; more of them than there are tasks, and than processors.
TEST(ThreadsTest, ThreadsComeAndGo) {
  const std::vector<Shape> shapes = {{1, 2, 40000}, {3, 40, 700}, {1, 1, 200000}};
  std::deque<OwnedTensor> x;
  std::vector<std::vector<float>> wanted;
  ASSERT_EQ(haline_set_num_threads(1), HALINE_OK);
  for (const Shape &shape : shapes) {
    OwnedTensor y(shape, 0.f);
    x.emplace_back(shape, 0.f);
    x.back().values = Normals(Count(shape), x.size());
    x.back().t.data = x.back().values.data();
    ASSERT_EQ(haline_instance_norm(&x.back().t, nullptr, nullptr, &y.t, nullptr), HALINE_OK) << haline_error_message();
    wanted.push_back(y.values);
  }
  for (int i = 0; i < 60; i++) {
    const size_t which = static_cast<size_t>(i) % shapes.size();
    ASSERT_EQ(haline_set_num_threads(2 + i * 5 % 16), HALINE_OK);
    OwnedTensor y(shapes[which], 0.f);
    ASSERT_EQ(haline_instance_norm(&x[which].t, nullptr, nullptr, &y.t, nullptr), HALINE_OK) << haline_error_message();
    EXPECT_EQ(y.values, wanted[which]) << "call " << i;
    if (i % 4 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));  // long enough for them to fall asleep
  }
  haline_set_num_threads(0);
}

// The processors that a thread may run on; `task` is its folder in /proc.
std::string AllowedProcessors(const std::filesystem::path &task) {
  std::ifstream status(task / "status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("Cpus_allowed:", 0) == 0) return line;
  }
  return "?";
}

// Threads that do not come at once are sent to other processors; once they have run, they may run anywhere.
TEST(ThreadsTest, ThreadsMayRunWhereTheyMightBefore) {
  OwnedTensor x({8, 64, 1024}, 1.f), y({8, 64, 1024}, 0.f);
  ASSERT_EQ(haline_set_num_threads(4), HALINE_OK);
  const std::string wanted = AllowedProcessors("/proc/thread-self");
  ASSERT_NE(wanted, "?");
  const auto call = [&](int pause) {
    std::this_thread::sleep_for(std::chrono::milliseconds(pause));
    ASSERT_EQ(haline_instance_norm(&x.t, nullptr, nullptr, &y.t, nullptr), HALINE_OK) << haline_error_message();
  };
  for (int i = 0; i < 40; i++) call(i % 4);
  const auto others = [&] {
    int all = 0, other = 0;
    for (const auto &task : std::filesystem::directory_iterator("/proc/self/task")) {
      all++;
      other += AllowedProcessors(task.path()) != wanted;
    }
    EXPECT_GE(all, 4);
    return other;
  };
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (others() > 0 && std::chrono::steady_clock::now() < end) call(0);
  EXPECT_EQ(others(), 0);
  haline_set_num_threads(0);
}

}  // namespace
}  // namespace haline::test
