// LocalLetters: makes the letters that stay in this process: their bytes, and who sends them.
//
// Internal to grid/actor. Any thread.
#ifndef GRID_GRID_ACTOR_LOCAL_LETTERS_H_
#define GRID_GRID_ACTOR_LOCAL_LETTERS_H_

#include <memory>
#include <string>

#include "grid/actor/letter.h"
#include "grid/actor/post.h"
#include "serialization/buffer_pool.h"

namespace grid::internal {

class LocalLetters {
 public:
  // `self`: our own member.
  explicit LocalLetters(std::string self);

  const std::string& self() const { return self_; }
  // One that nobody waits for and nobody can cancel, with a copy of the message's bytes.
  Letter Make(const Message& message) const;

 private:
  const std::string self_;
  const std::shared_ptr<const Sender> sender_;  // our process, no actor
  const std::shared_ptr<BufferPool> pool_ = BufferPool::Create();
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_LOCAL_LETTERS_H_
