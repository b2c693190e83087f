#include "serialization/extensions.h"

#include <algorithm>

namespace grid {

Extensions Agree(const Extensions& ours, const Extensions& theirs) {
  Extensions agreed;
  for (const ExtensionName& feature : kExtensionNames) {
    agreed.*feature.value = std::min(ours.*feature.value, theirs.*feature.value);
  }
  if (agreed.fragments < kMinFragmentBytes) agreed.fragments = 0;
  if (agreed.zstd != 0) agreed.dictionaries = ours.dictionaries.CommonWith(theirs.dictionaries);
  return agreed;
}

}  // namespace grid
