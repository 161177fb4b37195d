// Where a page keeps what it has trained, until somebody clears the browser's data. A browser may refuse.

const [NAME, KIND] = ["archonnx", "trained"];

function opened() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(KIND);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function within(mode, act) {
  const database = await opened();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(KIND, mode);
      const request = act(transaction.objectStore(KIND));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

/** What was kept under a key; undefined if nothing was. */
export const kept = (key) => within("readonly", (store) => store.get(key));

/** Keep something under a key, in place of what was there. */
export const keep = (key, value) => within("readwrite", (store) => store.put(value, key));

/** Keep nothing under a key any more. */
export const drop = (key) => within("readwrite", (store) => store.delete(key));
