export const api: import("../../../../js/types.d.ts").Api;
