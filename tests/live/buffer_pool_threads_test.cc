// The pool under real threads: what a thread sanitizer looks at, and what must hold when threads
// and pools end in any order.

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "serialization/buffer_pool.h"

namespace grid {
namespace {

// Hands Buffers from thread to thread.
class Exchange {
 public:
  void Put(Buffer buffer) {
    {
      std::lock_guard lock(mutex_);
      buffers_.push_back(std::move(buffer));
    }
    arrived_.notify_one();
  }
  Buffer Get() {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return !buffers_.empty(); });
    Buffer buffer = std::move(buffers_.back());
    buffers_.pop_back();
    return buffer;
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<Buffer> buffers_;
};

template <typename Body>
void RunThreads(int count, Body body) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(body, i);
  for (std::thread& thread : threads) thread.join();
}

TEST(BufferPoolThreads, EveryBlockHasOneHolder) {
  const auto pool = BufferPool::Create({.retained_bytes = 4 << 20});
  std::atomic<int> damaged{0};
  RunThreads(4, [&](int id) {
    std::mt19937 random(static_cast<unsigned>(id));
    std::vector<std::pair<Buffer, int>> held(50);
    for (int i = 0; i < 40000; ++i) {
      auto& [buffer, mark] = held[random() % held.size()];
      for (const uint8_t byte : buffer.view()) damaged += byte != static_cast<uint8_t>(mark);
      buffer = i % 3 == 0 ? pool->TryTake(random() % 700) : pool->Take(random() % 700);
      mark = static_cast<int>(random() % 256);
      if (buffer.size() != 0) std::memset(buffer.data(), mark, buffer.size());
      if (i % 5000 == 0) pool->Trim();
      if (i % 1000 == 0) pool->Stats();
    }
  });
  EXPECT_EQ(damaged, 0);
  EXPECT_EQ(pool->Stats().bytes_in_use, 0u);
  EXPECT_EQ(pool->Stats().taken, 160000u);
  EXPECT_LE(pool->Stats().bytes_retained, size_t{4} << 20);
}

TEST(BufferPoolThreads, BlocksTakenHereAndDroppedThereAreReused) {
  const auto pool = BufferPool::Create();
  constexpr int kCount = 30000;
  Exchange forth;
  Exchange back;
  for (int i = 0; i < 16; ++i) back.Put(Buffer());
  std::thread consumer([&] {
    for (int i = 0; i < kCount; ++i) {
      forth.Get();
      back.Put(Buffer());
    }
  });
  for (int i = 0; i < kCount; ++i) {
    back.Get();
    forth.Put(pool->Take(512));
  }
  consumer.join();
  const BufferPoolStats stats = pool->Stats();
  EXPECT_EQ(stats.bytes_in_use, 0u);
  EXPECT_EQ(stats.taken, static_cast<uint64_t>(kCount));
  // 16 in flight, and what the two caches hold back.
  EXPECT_LE(stats.allocated, 300u);
}

TEST(BufferPoolThreads, EndingThreadGivesItsBlocksToTheOthers) {
  const auto pool = BufferPool::Create();
  std::thread([&] {
    std::vector<Buffer> held;
    for (int i = 0; i < 40; ++i) held.push_back(pool->Take(1000));
  }).join();
  EXPECT_EQ(pool->Stats().bytes_retained, 40u * 1024);
  std::vector<Buffer> held;
  for (int i = 0; i < 40; ++i) held.push_back(pool->Take(1000));
  EXPECT_EQ(pool->Stats().allocated, 40u);
  EXPECT_EQ(pool->Stats().bytes_in_use, 40u * 1024);
}

TEST(BufferPoolThreads, TryTakeSeesWhatOtherThreadsHold) {
  const auto pool = BufferPool::Create({.budget_bytes = 1 << 20});
  Exchange exchange;
  std::thread([&] {
    for (int i = 0; i < 1000; ++i) exchange.Put(pool->Take(1000));
  }).join();
  int taken = 0;
  std::vector<Buffer> held;
  for (int i = 0; i < 100; ++i) {
    held.push_back(pool->TryTake(1000));
    taken += !held.back().is_nil();
  }
  EXPECT_EQ(taken, 24);
  EXPECT_EQ(pool->Stats().refused, 76u);
}

TEST(BufferPoolThreads, PoolGoesWhileThreadsHoldItsBlocks) {
  for (int round = 0; round < 100; ++round) {
    auto pool = BufferPool::Create();
    std::atomic<int> ready{0};
    std::atomic<bool> go{false};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&, own = pool]() mutable {
        std::vector<Buffer> held;
        for (int k = 0; k < 200; ++k) held.push_back(own->Take(static_cast<size_t>(k) * 10));
        held.resize(100);
        own.reset();
        ++ready;
        while (!go) std::this_thread::yield();
        held[0].Resize(100000);
        held.clear();
      });
    }
    while (ready != 3) std::this_thread::yield();
    go = true;
    pool.reset();  // at the same time as the blocks come back
    for (std::thread& thread : threads) thread.join();
  }
}

// Dropped after the thread's cache: thread-local objects end in reverse order of their making.
thread_local Buffer last_words;

TEST(BufferPoolThreads, BufferDroppedAfterTheThreadsCache) {
  const auto pool = BufferPool::Create();
  std::thread([&] {
    last_words = Buffer();
    last_words = pool->Take(100);
    pool->Take(100);
  }).join();
  EXPECT_EQ(pool->Stats().bytes_in_use, 0u);
  EXPECT_EQ(pool->Stats().bytes_retained, 256u);
  auto short_lived = BufferPool::Create();
  std::thread([pool = std::move(short_lived)]() mutable {
    last_words = Buffer();
    last_words = pool->Take(100);
    pool.reset();
  }).join();
}

}  // namespace
}  // namespace grid
