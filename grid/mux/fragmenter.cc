#include "grid/mux/fragmenter.h"

#include <algorithm>
#include <utility>

namespace grid {

Fragmenter::Fragmenter(const Message& message, Buffer payload, size_t most, BufferPool& pool)
    : whole_(message), payload_(std::move(payload)), most_(most) {
  whole_.flags |= kFlagExtended;
  if (!message.extension.empty()) {
    extension_ = pool.Copy(message.extension);
    ExtensionFields fields;
    if (ReadExtension(extension_, &fields)) handler_ = fields.handler;
  }
  if (message.subroute != nullptr) {
    std::copy_n(message.subroute, kSubrouteIdSize, subroute_.begin());
  }
}

Message Fragmenter::Next(ExtensionBlock* block) {
  Message part = whole_;
  part.payload = payload_.view().subspan(offset_, std::min(most_, left()));
  if (whole_.subroute != nullptr) part.subroute = subroute_.data();
  ExtensionFields fields{.handler = handler_};
  fields.more = part.payload.size() < left();
  // The message's own fields are in the last fragment: they are needed when it is whole. But who is
  // to get it is looked at from the first one on.
  if (!fields.more && !extension_.is_nil()) ReadExtension(extension_, &fields);
  fields.offset = offset_;
  block->Write(fields);
  part.extension = block->view();
  offset_ += part.payload.size();
  return part;
}

}  // namespace grid
